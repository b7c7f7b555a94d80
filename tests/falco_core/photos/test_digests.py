"""Photos are hashed once, and again whenever they may have changed."""

import hashlib
import os
from pathlib import Path

import pytest

from falco_core.errors import ProjectError
from falco_core.photos import digests
from falco_core.photos.digests import photo_files, read_photo

OLD = 1_000_000_000


def write(path: Path, data: bytes, *, seconds: int = OLD) -> None:
    path.write_bytes(data)
    os.utime(path, (seconds, seconds))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_photo_is_read_again_only_when_it_may_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index.parquet"
    write(tmp_path / "a.jpg", b"one")
    write(tmp_path / "b.jpg", b"two")
    first = photo_files(tmp_path, ["a.jpg", "b.jpg"], index)
    assert [row.sha256 for row in first] == [sha256(b"one"), sha256(b"two")]
    read: list[str] = []
    opened = digests.open_regular
    monkeypatch.setattr(digests, "open_regular", lambda path: (read.append(path.name), opened(path))[1])
    assert photo_files(tmp_path, ["a.jpg", "b.jpg"], index) == first
    assert read == []
    write(tmp_path / "a.jpg", b"ONE", seconds=OLD + 1)
    assert photo_files(tmp_path, ["a.jpg", "b.jpg"], index)[0].sha256 == sha256(b"ONE")
    write(tmp_path / "b.jpg", b"three")
    assert photo_files(tmp_path, ["a.jpg", "b.jpg"], index)[1].sha256 == sha256(b"three")
    assert read == ["a.jpg", "b.jpg"]


def test_a_photo_that_was_just_written_is_not_remembered(tmp_path: Path) -> None:
    index = tmp_path / "index.parquet"
    (tmp_path / "a.jpg").write_bytes(b"one")
    state = (tmp_path / "a.jpg").stat()
    photo_files(tmp_path, ["a.jpg"], index)
    # Within one tick of the clock a file may change and keep its size and time.
    (tmp_path / "a.jpg").write_bytes(b"two")
    os.utime(tmp_path / "a.jpg", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert photo_files(tmp_path, ["a.jpg"], index)[0].sha256 == sha256(b"two")


def test_a_damaged_index_costs_time_only(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", b"one")
    (tmp_path / "index.parquet").write_bytes(b"damaged")
    assert photo_files(tmp_path, ["a.jpg"], tmp_path / "index.parquet")[0].sha256 == sha256(b"one")


def test_a_photo_that_is_gone_has_no_digest_and_one_that_changed_is_named(tmp_path: Path) -> None:
    assert photo_files(tmp_path, ["gone.jpg"], tmp_path / "index.parquet")[0].sha256 == ""
    write(tmp_path / "a.jpg", b"one")
    assert read_photo(tmp_path, "a.jpg", sha256(b"one")) == b"one"
    with pytest.raises(ProjectError, match=r"a\.jpg changed during the run"):
        read_photo(tmp_path, "a.jpg", sha256(b"two"))
    with pytest.raises(ProjectError, match=r"gone\.jpg changed during the run"):
        read_photo(tmp_path, "gone.jpg", sha256(b"two"))
