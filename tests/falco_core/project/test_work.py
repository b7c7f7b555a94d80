"""The skeleton of keyed work: what is planned is there afterwards, and computed once."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from falco_core.project import work
from falco_core.project.buckets import bucket_digits, buckets_of
from falco_core.project.keys import Keys
from falco_core.project.work import Done, Entry, batches_of, keep_up
from falco_core.store.artifact import Artifact
from falco_core.store.bucket import Kept
from falco_core.store.kept import KeptWork


@dataclass(frozen=True)
class Row:
    value: int


class Bench:
    """A stage whose items are numbers; remembers what it computed."""

    def __init__(self, root: Path) -> None:
        self.root, self.computed = root, list[str]()
        self.wanted = {"a": ["a1", "a2", "a3"], "b": ["b1"], "c": list[str]()}
        self.key, self.dies_after = "k", 10**9

    def run(self, size: int = 2) -> Done:
        store = KeptWork(str(self.root / "store"), "stage", Row, self.wanted)

        def compute(entries: list[Entry[int]]) -> None:
            for batch in batches_of(entries, size):
                if len(self.computed) >= self.dies_after:
                    raise KeyboardInterrupt
                self.computed += [entry.id for entry in batch]
                store.add([Kept(entry.id, entry.key, Row(entry.job)) for entry in batch])

        def plan(bucket: str) -> list[Entry[int]]:
            return [Entry(id_, self.key, int(id_[1:])) for id_ in self.wanted[bucket]]

        return keep_up(store, sorted(self.wanted), plan, compute, self.root / "out")

    @property
    def found(self) -> dict[str, int]:
        return {item.id: item.row.value for item in Artifact(self.root / "out", Row).all()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_second_run_computes_nothing(bench: Bench) -> None:
    assert bench.run() == Done(4, 4)
    assert bench.found == {"a1": 1, "a2": 2, "a3": 3, "b1": 1}
    assert bench.run() == Done(4, 0)
    assert Artifact(bench.root / "out", Row).buckets == ("a", "b", "c")


def test_one_more_computes_one_and_one_less_is_gone(bench: Bench) -> None:
    bench.run()
    bench.wanted["c"] = ["c7"]
    bench.wanted["a"].remove("a2")
    assert bench.run() == Done(4, 1)
    assert bench.found == {"a1": 1, "a3": 3, "b1": 1, "c7": 7}


def test_a_bucket_that_is_no_longer_there_leaves_nothing_behind(bench: Bench) -> None:
    bench.run()
    del bench.wanted["b"]
    bench.run()
    assert {path.name for path in (bench.root / "store/stage").iterdir()} == {"a.parquet", "c.parquet"}


def test_a_run_that_is_killed_loses_what_was_in_flight_and_nothing_else(bench: Bench) -> None:
    bench.dies_after = 2
    with pytest.raises(KeyboardInterrupt):
        bench.run(size=1)
    assert not (bench.root / "out").exists()
    bench.dies_after = 10**9
    assert bench.run(size=1) == Done(4, 2)
    assert sorted(bench.computed) == ["a1", "a2", "a3", "b1"]


def test_many_items_are_settled_group_by_group(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "GROUP", 2)
    most = 0
    settle = KeptWork.settle

    def counting(store: KeptWork[Row], bucket: str, wanted: dict[str, str]) -> None:
        nonlocal most
        most = max(most, len(list((bench.root / "store/stage").glob("loose-*"))))
        settle(store, bucket, wanted)

    monkeypatch.setattr(KeptWork, "settle", counting)
    bench.wanted = {letter: [f"{letter}{n}" for n in range(3)] for letter in "abcdef"}
    assert bench.run(size=1) == Done(18, 18)
    assert most <= 3, "loose files of earlier groups are gone"
    assert not list((bench.root / "store/stage").glob("loose-*"))


def test_an_out_folder_is_replaced_as_a_whole(bench: Bench) -> None:
    bench.run()
    (bench.root / "out" / "foreign.txt").write_text("left over")
    bench.run()
    assert not (bench.root / "out" / "foreign.txt").exists()


@pytest.mark.parametrize(("photos", "digits"), [(1, 1), (4000, 1), (4001, 2), (250_000, 2), (250_001, 3)])
def test_larger_datasets_have_more_buckets(photos: int, digits: int) -> None:
    assert bucket_digits(photos) == digits


def test_buckets_are_prefixes() -> None:
    assert buckets_of(["ab1", "ab2", "c00"], 2) == ("ab", "c0")


KEYS = {"stage": "invert", "version": 1, "params": {"a": 1, "b": 2}, "models": "m"}


@pytest.mark.parametrize(
    "change", [{"stage": "align"}, {"version": 2}, {"params": {"a": 1, "b": 3}}, {"models": "n"}, {"params": {"a": 1}}]
)
def test_a_key_covers_all_that_an_item_depends_on(change: dict[str, object]) -> None:
    key = Keys(**KEYS).of("content", (1.5, None))  # type: ignore[arg-type]
    assert Keys(**{**KEYS, **change}).of("content", (1.5, None)) != key  # type: ignore[arg-type]
    assert Keys(**KEYS).of("content", (1.5, 0)) != key  # type: ignore[arg-type]
    assert Keys(**{**KEYS, "params": {"b": 2, "a": 1}}).of("content", (1.5, None)) == key  # type: ignore[arg-type]
