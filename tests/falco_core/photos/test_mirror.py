"""A copy of photos that lie in S3: equal after every change, and as it was after every outage."""

import shutil
from pathlib import Path
from typing import Any

import fsspec
import pytest

from falco_core.errors import ParamsError, ProjectError
from falco_core.photos.mirror import Mirrored, check_copy, copy_in, files_there, mirror
from tests.s3 import new_bucket

FIRST = {"a.jpg": b"a", "deep/er/b.png": b"bb", "c [1]*?.jpg": b"ccc", "notes.txt": b"n"}


@pytest.fixture
def bucket(s3: str) -> Any:
    """A bucket with photos below `photos/`, and others that are none of ours."""
    bucket = new_bucket(s3)
    for name, data in FIRST.items():
        bucket.put_object(Key=f"photos/{name}", Body=data)
    bucket.put_object(Key="photos/", Body=b"")
    bucket.put_object(Key="photos-of-others/x.jpg", Body=b"x")
    return bucket


def url_of(bucket: Any) -> str:
    return f"s3://{bucket.name}/photos"


def mirrored(url: str, folder: Path) -> Mirrored:
    return mirror(url, files_there(url), folder, lambda done, total: None)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the copy."""
    copy = copy_in(folder)
    return {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()}


def test_the_copy_equals_what_lies_there_after_every_change(bucket: Any, tmp_path: Path) -> None:
    url, folder = url_of(bucket), tmp_path / "mirror"
    assert mirrored(url, folder) == Mirrored(fetched=4, gone=0)
    assert contents(folder) == FIRST
    check_copy(copy_in(folder), url)
    assert folder.stat().st_mode & 0o077 == 0
    assert mirrored(url, folder) == Mirrored(fetched=0, gone=0)
    bucket.put_object(Key="photos/new.jpg", Body=b"new")
    bucket.put_object(Key="photos/a.jpg", Body=b"A")
    bucket.Object("photos/deep/er/b.png").delete()
    untouched = (copy_in(folder) / "notes.txt").stat()
    assert mirrored(url, folder) == Mirrored(fetched=2, gone=1)
    changed = {**FIRST, "new.jpg": b"new", "a.jpg": b"A"}
    del changed["deep/er/b.png"]
    assert contents(folder) == changed
    assert not (copy_in(folder) / "deep").exists()
    assert (copy_in(folder) / "notes.txt").stat().st_mtime_ns == untouched.st_mtime_ns


def test_a_file_may_become_a_folder_and_back(bucket: Any, tmp_path: Path) -> None:
    url, folder = url_of(bucket), tmp_path / "mirror"
    mirrored(url, folder)
    bucket.Object("photos/a.jpg").delete()
    bucket.put_object(Key="photos/a.jpg/inside.jpg", Body=b"inside")
    mirrored(url, folder)
    assert contents(folder)["a.jpg/inside.jpg"] == b"inside"
    bucket.Object("photos/a.jpg/inside.jpg").delete()
    bucket.put_object(Key="photos/a.jpg", Body=b"a")
    mirrored(url, folder)
    assert contents(folder) == FIRST


def test_what_was_damaged_or_deleted_here_is_fetched_again(bucket: Any, tmp_path: Path) -> None:
    url, folder = url_of(bucket), tmp_path / "mirror"
    mirrored(url, folder)
    (copy_in(folder) / "a.jpg").unlink()
    (copy_in(folder) / "notes.txt").write_bytes(b"")
    (copy_in(folder) / "mine.jpg").write_bytes(b"mine")
    assert mirrored(url, folder) == Mirrored(fetched=2, gone=1)
    assert contents(folder) == FIRST
    (folder / "files.parquet").write_bytes(b"damaged")
    assert mirrored(url, folder) == Mirrored(fetched=4, gone=0)
    assert contents(folder) == FIRST


def test_an_outage_leaves_the_copy_as_it_was_and_what_was_fetched_is_not_fetched_again(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = url_of(bucket), tmp_path / "mirror"
    mirrored(url, folder)
    bucket.Object("photos/notes.txt").delete()
    for name in ("a.jpg", "x.jpg", "y.jpg"):
        bucket.put_object(Key=f"photos/{name}", Body=b"new")
    there = files_there(url)
    # The last of the new ones cannot be had.
    bucket.Object("photos/y.jpg").delete()
    monkeypatch.setattr("falco_core.photos.mirror._AT_ONCE", 1)
    with pytest.raises(ProjectError, match="cannot be fetched"):
        mirror(url, there, folder, lambda done, total: None)
    assert contents(folder) == FIRST
    check_copy(copy_in(folder), url)
    bucket.put_object(Key="photos/y.jpg", Body=b"new")
    asked: list[tuple[int, int]] = []
    mirror(url, files_there(url), folder, lambda done, total: asked.append((done, total)))
    assert asked == [(3, 3)], "two of three were there"
    del (expected := {**FIRST, **dict.fromkeys(("a.jpg", "x.jpg", "y.jpg"), b"new")})["notes.txt"]
    assert contents(folder) == expected
    assert not (folder / "fetched").exists()


def test_a_listing_that_fails_is_one_line(s3: str) -> None:
    with pytest.raises(ProjectError, match="s3://no-such-bucket/photos cannot be listed") as error:
        files_there("s3://no-such-bucket/photos")
    assert "\n" not in str(error.value)


def test_a_file_is_no_folder_of_photos(bucket: Any) -> None:
    with pytest.raises(ProjectError, match="is a file: name the folder"):
        files_there(f"s3://{bucket.name}/photos/a.jpg")


def test_a_whole_bucket_may_be_the_folder(bucket: Any, tmp_path: Path) -> None:
    mirrored(f"s3://{bucket.name}", tmp_path / "mirror")
    assert set(contents(tmp_path / "mirror")) == {*(f"photos/{name}" for name in FIRST), "photos-of-others/x.jpg"}


def test_a_copy_that_is_being_changed_or_of_another_place_is_no_copy(bucket: Any, tmp_path: Path) -> None:
    url, folder = url_of(bucket), tmp_path / "mirror"
    mirrored(url, folder)
    with pytest.raises(ProjectError, match="not fetched yet"):
        check_copy(copy_in(folder), url + "-of-others")
    (folder / "source").unlink()
    with pytest.raises(ProjectError, match="not fetched yet"):
        check_copy(copy_in(folder), url)
    mirrored(url, folder)
    check_copy(copy_in(folder), url)
    shutil.rmtree(copy_in(folder))
    with pytest.raises(ProjectError, match="not fetched yet"):
        check_copy(copy_in(folder), url)


@pytest.mark.parametrize(
    "names",
    [
        ["../out.jpg"],
        ["a/../../out.jpg"],
        ["a//b.jpg"],
        ["./b.jpg"],
        ["/etc/x.jpg"],
        ["x" * 256],
        ["a\0b.jpg"],
        ["a\udc80.jpg"],
        ["both.jpg", "both.jpg/x.jpg"],
    ],
    ids=range(9),
)
def test_a_name_that_leads_out_or_that_no_folder_can_hold_is_refused(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {f"/photos/{name}": {"name": f"/photos/{name}", "type": "file", "size": 1} for name in names}
    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "find", lambda *_, **__: found)
    with pytest.raises(ProjectError, match="rename it there") as error:
        files_there("memory://photos")
    assert str(error.value).isprintable()


def test_a_password_in_the_url_is_refused() -> None:
    with pytest.raises(ParamsError, match="a password has no place"):
        files_there("ftp://me:secret@127.0.0.1/photos")
