"""How a stage hands its work on: batches of missing items, run by whoever drives the stage."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol, TypeVar

from prefect import Task

from falco_core.reasons import Reason
from falco_core.store.items import ItemCache

Entry = TypeVar("Entry")

BatchTask = Task[[Path, list[Any]], None]


class Execute(Protocol):
    """Runs `batch_task(root, batch)` for every batch, anywhere and in any order; raises if one fails."""

    def __call__(self, batch_task: BatchTask, root: Path, batches: Sequence[list[Any]]) -> None:
        """Return when all batches are done."""


@dataclass(frozen=True)
class StageReport:
    """What a stage says at its end."""

    stage: str
    total: int
    computed: int
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        line = f"{self.stage}: {self.total} items, {self.computed} computed, {self.total - self.computed} kept"
        return "; ".join((line, *self.notes))


def batches_of(entries: Sequence[Entry], size: int) -> list[list[Entry]]:
    """`entries` in lists of `size`, the last one as long as what is left."""
    iterator = iter(entries)
    return list(iter(lambda: list(islice(iterator, size)), []))


def execute_here(batch_task: BatchTask, root: Path, batches: Sequence[list[Any]]) -> None:
    """The plain way: one batch after the other in this process, with a line of progress each."""
    for number, batch in enumerate(batches, start=1):
        batch_task.fn(root, batch)
        print(progress_line(batch_task, number, len(batches)), flush=True)


def progress_line(batch_task: BatchTask, done: int, total: int) -> str:
    """What a stage prints after each batch."""
    return f"{batch_task.name}: batch {done} of {total}"


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


def forget_failures(cache: ItemCache, keys: Iterable[str]) -> None:
    """Drop items that hold nothing but a failure, which may pass: the next run of the stage tries again."""
    for key in keys:
        if cache.get(key).record.get("reason") == Reason.FAILED:
            cache.discard(key)


def missing(keys: Sequence[str], contains: Callable[[str], bool]) -> set[str]:
    """The keys that are not kept yet."""
    return {key for key in dict.fromkeys(keys) if not contains(key)}
