import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from falco_core.bundles.official.unpack import unpack_member
from falco_core.errors import FetchError

CONTENT = bytes(range(256)) * 200

Entry = tuple[tarfile.TarInfo, bytes]


def regular(name: str, content: bytes = CONTENT) -> Entry:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def special(name: str, kind: bytes, linkname: str = "") -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info, b""


def tar_of(*entries: Entry, mode: str = "w") -> bytes:
    """A tar with the entries just as they are, however unwise."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content) if info.size else None)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the archive lies, with room above it for what tries to get out."""
    path = tmp_path / "outside" / "folder"
    path.mkdir(parents=True)
    return path


def unpack(folder: Path, archive: bytes, member: str) -> bytes:
    path = folder / "archive.tar"
    path.write_bytes(archive)
    unpack_member(path, member, folder / "out.pth")
    return (folder / "out.pth").read_bytes()


def refusal(folder: Path, archive: bytes, member: str = "models/wanted.pth") -> str:
    """The one line of the refusal, after a look that nothing but the archive is there."""
    with pytest.raises(FetchError) as caught:
        unpack(folder, archive, member)
    assert [path.name for path in folder.parent.parent.rglob("*")] == ["outside", "folder", "archive.tar"]
    message = str(caught.value)
    assert "\n" not in message
    assert "archive.tar" in message
    return message


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_the_wanted_file_and_no_other_is_unpacked(folder: Path, mode: str) -> None:
    archive = tar_of(
        special("models", tarfile.DIRTYPE), regular("models/other.pth", b"x"), regular("models/wanted.pth"), mode=mode
    )
    assert unpack(folder, archive, "models/wanted.pth") == CONTENT
    assert {path.name for path in folder.iterdir()} == {"archive.tar", "out.pth"}


def test_a_path_counts_before_a_base_name(folder: Path) -> None:
    archive = tar_of(regular("a/wanted.pth", b"first"), regular("wanted.pth", b"second"))
    assert unpack(folder, archive, "wanted.pth") == b"second"


def test_leading_dots_of_an_archive_do_not_matter(folder: Path) -> None:
    archive = tar_of(regular("./models/wanted.pth"), regular("./old/wanted.pth", b"old"))
    assert unpack(folder, archive, "models/wanted.pth") == CONTENT
    assert unpack(folder, archive, "./models/../models/wanted.pth") == CONTENT


def test_one_file_of_that_base_name_is_found_anywhere(folder: Path) -> None:
    assert unpack(folder, tar_of(regular("elsewhere/wanted.pth")), "models/wanted.pth") == CONTENT


def test_two_files_of_that_base_name_are_no_answer(folder: Path) -> None:
    assert "several" in refusal(folder, tar_of(regular("a/wanted.pth"), regular("b/wanted.pth")))


def test_a_missing_member_is_named(folder: Path) -> None:
    assert "models/wanted.pth" in refusal(folder, tar_of(regular("models/other.pth")))


def test_a_folder_or_a_link_is_not_a_file(folder: Path) -> None:
    assert "no regular file" in refusal(folder, tar_of(special("models/wanted.pth", tarfile.DIRTYPE)))
    link = special("models/wanted.pth", tarfile.SYMTYPE, "other.pth")
    assert "no regular file" in refusal(folder, tar_of(link, regular("models/other.pth")))


@pytest.mark.parametrize(
    "bad",
    [
        regular("/evil.pth"),
        regular("\\evil.pth"),
        regular("C:\\evil.pth"),
        regular("../evil.pth"),
        regular("models/../../evil.pth"),
        regular("models\\..\\..\\evil.pth"),
        special("evil", tarfile.SYMTYPE, "/etc/passwd"),
        special("evil", tarfile.SYMTYPE, "../secret"),
        special("models/evil", tarfile.SYMTYPE, "../../secret"),
        special("evil", tarfile.LNKTYPE, "/etc/passwd"),
        special("models/evil", tarfile.LNKTYPE, "../secret"),
        special("evil", tarfile.CHRTYPE),
        special("evil", tarfile.BLKTYPE),
        special("evil", tarfile.FIFOTYPE),
    ],
    ids=lambda entry: f"{entry[0].type.decode()}-{entry[0].name}-{entry[0].linkname}",
)
@pytest.mark.parametrize("comes_first", [True, False])
def test_an_archive_that_reaches_outside_is_refused_whole(folder: Path, bad: Entry, comes_first: bool) -> None:
    good = regular("models/wanted.pth")
    message = refusal(folder, tar_of(*([bad, good] if comes_first else [good, bad])))
    assert "refused" in message
    assert repr(bad[0].name) in message


def test_links_that_stay_inside_do_no_harm(folder: Path) -> None:
    links = special("models/a", tarfile.SYMTYPE, "../wanted.pth"), special("b", tarfile.LNKTYPE, "wanted.pth")
    assert unpack(folder, tar_of(regular("wanted.pth"), *links), "wanted.pth") == CONTENT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda archive: b"no tar at all" * 100,
        lambda archive: b"",
        lambda archive: archive[: len(archive) // 2],
        lambda archive: archive[:600],
    ],
    ids=["text", "empty", "half", "little more than a header"],
)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_what_is_no_whole_tar_is_refused(folder: Path, spoil: Callable[[bytes], bytes], mode: str) -> None:
    refusal(folder, spoil(tar_of(regular("models/wanted.pth"), mode=mode)))


def test_a_file_larger_than_the_disk_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(folder)._replace(free=len(CONTENT) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "make room" in refusal(folder, tar_of(regular("models/wanted.pth")))


@pytest.mark.parametrize("fault", [None, OSError(28, "No space left on device"), EOFError("ends")])
def test_half_a_copy_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception | None) -> None:
    def half(source: io.BufferedIOBase, target: io.BufferedIOBase) -> None:
        target.write(source.read(len(CONTENT) // 2))
        if fault:
            raise fault

    monkeypatch.setattr(shutil, "copyfileobj", half)
    refusal(folder, tar_of(regular("models/wanted.pth")))


def test_an_older_file_is_replaced_only_by_a_whole_one(folder: Path) -> None:
    (folder / "out.pth").write_bytes(b"old")
    with pytest.raises(FetchError):
        unpack(folder, tar_of(regular("models/wanted.pth"))[:2000], "models/wanted.pth")
    assert (folder / "out.pth").read_bytes() == b"old"
    assert unpack(folder, tar_of(regular("models/wanted.pth")), "models/wanted.pth") == CONTENT


def test_an_archive_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"nowhere\.tar"):
        unpack_member(tmp_path / "nowhere.tar", "a", tmp_path / "b")
