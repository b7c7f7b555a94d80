"""The one skeleton of keyed work: plan bucket by bucket, compute what is not kept, let every bucket's file be whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import Any, Generic, TypeVar

from falco_core.store.kept import SUFFIX, KeptWork

Job = TypeVar("Job")
Each = TypeVar("Each")

GROUP = 1024
"""Items to be computed before the buckets that they are of are settled: bounds memory and the number of loose files."""


@dataclass(frozen=True)
class Entry(Generic[Job]):
    """An item that a stage must have: its id, the key of all it depends on, and what is needed to compute it."""

    id: str
    key: str
    job: Job


@dataclass(frozen=True)
class Done:
    """How many items there are now, and how many of them were computed."""

    total: int
    computed: int


def keep_up(
    store: KeptWork[Any],
    buckets: Sequence[str],
    plan: Callable[[str], Iterable[Entry[Any]]],
    compute: Callable[[list[Entry[Any]]], None],
    out: Path,
) -> Done:
    """Bring the buckets of a stage up to date and put their files into the folder `out`.

    plan: the entries of a bucket; compute: computes entries of any buckets, in any order, and adds them to `store`.
    """
    total = computed = 0
    with fresh_folder(out) as folder:
        for group in _groups(store, buckets, plan):
            if group.todo:
                compute(group.todo)
            for bucket, wanted in group.wanted.items():
                store.settle(bucket, wanted)
                store.export(bucket, folder / f"{bucket}{SUFFIX}")
            store.drop_loose({entry.id for entry in group.todo})
            total += sum(map(len, group.wanted.values()))
            computed += len(group.todo)
        store.clear()
    return Done(total, computed)


@dataclass
class _Group:
    """Some buckets, id -> key of what they must hold, and what of it is to be computed."""

    wanted: dict[str, dict[str, str]]
    todo: list[Entry[Any]]


def _groups(
    store: KeptWork[Any], buckets: Sequence[str], plan: Callable[[str], Iterable[Entry[Any]]]
) -> Iterator[_Group]:
    group = _Group({}, [])
    for bucket in buckets:
        entries = list(plan(bucket))
        group.wanted[bucket] = {entry.id: entry.key for entry in entries}
        missing = store.missing(bucket, group.wanted[bucket])
        group.todo += [entry for entry in entries if entry.id in missing]
        if len(group.todo) >= GROUP:
            yield group
            group = _Group({}, [])
    if group.wanted:
        yield group


def batches_of(entries: Iterable[Each], size: int) -> list[list[Each]]:
    """`entries` in lists of `size`, the last one as long as what is left."""
    iterator = iter(entries)
    return list(iter(lambda: list(islice(iterator, size)), []))


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """A new empty folder that takes `target`'s place when the block ends well, and vanishes when it does not."""
    partial = target.with_name(f".{target.name}.partial")
    rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        rmtree(partial, ignore_errors=True)
        raise
    rmtree(target, ignore_errors=True)
    partial.replace(target)
