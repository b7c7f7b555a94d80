"""Kept work survives kills and damage, and holds what is wanted and nothing else."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from falco_core.errors import StoreError
from falco_core.store.bucket import Bucket, Kept
from falco_core.store.kept import KeptWork


@dataclass(frozen=True)
class Row:
    value: int
    picture: bytes = b""


def item(id_: str, value: int, *, key: str = "k", final: bool = True) -> Kept[Row]:
    return Kept(id_, key, Row(value, b"x" * 40), final)


@pytest.fixture(params=["local", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "store") if request.param == "local" else f"memory://{tmp_path}"


def store(url: str, *buckets: str) -> KeptWork[Row]:
    return KeptWork(url, "invert", Row, buckets or ("a", "b"))


def held(kept: KeptWork[Row], bucket: str, tmp_path: Path) -> dict[str, int]:
    target = tmp_path / f"out-{bucket}.parquet"
    target.unlink(missing_ok=True)
    kept.export(bucket, target)
    with target.open("rb") as file:
        return {found.id: found.row.value for found in Bucket(file, Row).read()}


def test_a_batch_of_several_buckets_is_divided_among_them(url: str, tmp_path: Path) -> None:
    kept = store(url)
    assert kept.missing("a", {"a1": "k", "a2": "k"}) == {"a1", "a2"}
    kept.add([item("a1", 1), item("b1", 2)])
    kept.add([item("a2", 3)])
    kept.settle("a", {"a1": "k", "a2": "k"})
    kept.settle("b", {"b1": "k"})
    kept.clear()
    again = store(url)
    assert again.missing("a", {"a1": "k", "a2": "k"}) == set()
    assert held(again, "a", tmp_path) == {"a1": 1, "a2": 3}
    assert held(again, "b", tmp_path) == {"b1": 2}


def test_what_a_killed_run_had_finished_is_not_missing(url: str) -> None:
    store(url).add([item("a1", 1)])
    assert store(url).missing("a", {"a1": "k", "a2": "k"}) == {"a2"}


def test_another_key_is_other_work_and_what_is_no_longer_wanted_goes(url: str, tmp_path: Path) -> None:
    kept = store(url)
    kept.add([item("a1", 1), item("a2", 2)])
    kept.settle("a", {"a1": "k", "a2": "k"})
    assert kept.missing("a", {"a1": "new", "a2": "k"}) == {"a1"}
    kept.add([item("a1", 5, key="new")])
    kept.settle("a", {"a1": "new"})
    kept.clear()
    assert held(kept, "a", tmp_path) == {"a1": 5}


def test_a_bucket_in_which_nothing_changed_is_not_written_again(tmp_path: Path) -> None:
    kept = store(str(tmp_path / "store"))
    kept.add([item("a1", 1)])
    kept.settle("a", {"a1": "k"})
    kept.clear()
    file = tmp_path / "store/invert/a.parquet"
    before = file.stat().st_ino
    kept.settle("a", {"a1": "k"})
    assert file.stat().st_ino == before
    kept.settle("a", {})
    assert file.stat().st_ino != before


def test_a_failure_that_may_pass_is_tried_again_and_replaced(url: str, tmp_path: Path) -> None:
    kept = store(url)
    kept.add([item("a1", -1, final=False)])
    kept.settle("a", {"a1": "k"})
    kept.clear()
    assert held(kept, "a", tmp_path) == {"a1": -1}
    assert kept.missing("a", {"a1": "k"}) == {"a1"}
    kept.add([item("a1", 1)])
    kept.settle("a", {"a1": "k"})
    assert held(kept, "a", tmp_path) == {"a1": 1}


def test_a_dataset_that_is_divided_anew_loses_no_work(url: str, tmp_path: Path) -> None:
    coarse = store(url, "a")
    coarse.add([item("ab", 1), item("ac", 2)])
    coarse.settle("a", {"ab": "k", "ac": "k"})
    coarse.clear()
    fine = store(url, "ab", "ac")
    assert fine.missing("ab", {"ab": "k"}) == fine.missing("ac", {"ac": "k"}) == set()
    fine.settle("ab", {"ab": "k"})
    fine.settle("ac", {"ac": "k"})
    fine.clear()
    assert held(fine, "ac", tmp_path) == {"ac": 2}


DAMAGES = {
    "emptied": lambda data, other: b"",
    "truncated": lambda data, other: data[: len(data) // 2],
    "swapped": lambda data, other: other,
    "a picture's byte flipped": lambda data, other: data.replace(b"x" * 40, b"x" * 39 + b"y", 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_and_only_what_is_damaged_is_missing(damage: str, tmp_path: Path) -> None:
    kept = store(str(tmp_path / "store"))
    kept.add([item("a1", 1), item("a2", 2), item("b1", 3)])
    wanted = {"a": {"a1": "k", "a2": "k"}, "b": {"b1": "k"}}
    for bucket, items in wanted.items():
        kept.settle(bucket, items)
    kept.clear()
    file, other = (tmp_path / f"store/invert/{name}.parquet" for name in "ab")
    file.write_bytes(DAMAGES[damage](file.read_bytes(), other.read_bytes()))
    again = store(str(tmp_path / "store"))
    missing = again.missing("a", wanted["a"])
    assert missing == ({"a1"} if damage.startswith("a picture") else {"a1", "a2"})
    assert again.missing("b", wanted["b"]) == set()
    with pytest.raises(StoreError, match="a1 is not kept"):
        again.settle("a", wanted["a"])
    again.add([item(id_, 9) for id_ in missing])
    again.settle("a", wanted["a"])
    assert held(again, "a", tmp_path)["a1"] == 9


def test_what_was_exported_stays_what_it_was(tmp_path: Path) -> None:
    kept = store(str(tmp_path / "store"))
    kept.add([item("a1", 1)])
    kept.settle("a", {"a1": "k"})
    kept.export("a", tmp_path / "first.parquet")
    assert (tmp_path / "first.parquet").stat().st_nlink == 2, "a copy where a link would do"
    before = (tmp_path / "first.parquet").read_bytes()
    kept.add([item("a1", 2, key="new")])
    kept.settle("a", {"a1": "new"})
    assert (tmp_path / "first.parquet").read_bytes() == before
    assert not (tmp_path / "first.parquet").is_symlink()


def test_the_store_shares_the_file_that_dvc_put_in_place_of_its_own(tmp_path: Path) -> None:
    kept = store(str(tmp_path / "store"))
    kept.add([item("a1", 1)])
    kept.settle("a", {"a1": "k"})
    (tmp_path / "out").mkdir()
    out, own = tmp_path / "out/a.parquet", tmp_path / "store/invert/a.parquet"
    out.write_bytes(own.read_bytes())
    kept.share(tmp_path / "out")
    assert own.samefile(out)
    out.unlink()
    out.write_bytes(b"something else")
    kept.share(tmp_path / "out")
    assert not own.samefile(out)
    assert held(kept, "a", tmp_path) == {"a1": 1}


def test_the_leavings_of_a_killed_write_go(tmp_path: Path) -> None:
    kept = store(str(tmp_path / "store"))
    kept.add([item("a1", 1)])
    (tmp_path / "store/invert/.a.0.partial").write_bytes(b"half")
    kept.settle("a", {"a1": "k"})
    kept.clear()
    assert [path.name for path in (tmp_path / "store/invert").iterdir()] == ["a.parquet"]
