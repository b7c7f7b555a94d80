"""One file out of a downloaded tar, and nothing else of it."""

import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from falco_core.errors import FetchError, first_line

GIGABYTE = 1e9


def unpack_member(archive: Path, member: str, target: Path) -> None:
    """Copy the regular file `member` of a tar (plain or compressed) to `target`; nothing else is written.

    `member` is the path inside the archive, or, if there is no such path, the base name of exactly one file. Raises
    FetchError in one line if the archive is damaged, if any member of it, wanted or not, could reach outside (an
    absolute path, `..`, a link that leads out) or is no file, folder or link, or if the disk is too full.
    """
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            for entry in members:
                _refuse_unsafe(archive, entry)
            wanted = _find(archive, members, member)
            require_space(target.parent, wanted.size, f"{archive}: {member}")
            _copy(tar, wanted, target)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise FetchError(f"{archive} is no tar archive, or is damaged: {first_line(error)}") from None
    except OSError as error:
        raise FetchError(f"{archive} cannot be unpacked: {first_line(error)}") from None


def require_space(folder: Path, size: int, what: str) -> None:
    """Raise FetchError unless `size` bytes are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise FetchError(
            f"{what} needs {size / GIGABYTE:.2f} GB, but {folder} has {free / GIGABYTE:.2f} GB left: make room"
        )


def _refuse_unsafe(archive: Path, entry: tarfile.TarInfo) -> None:
    if _leads_outside(entry.name):
        raise FetchError(f"{archive} is refused: its member {entry.name!r} lies outside of it")
    if entry.issym() or entry.islnk():
        base = posixpath.dirname(entry.name) if entry.issym() else ""
        if _is_absolute(entry.linkname) or _leads_outside(posixpath.normpath(f"{base or '.'}/{entry.linkname}")):
            raise FetchError(f"{archive} is refused: its member {entry.name!r} links to {entry.linkname!r} outside")
    elif not (entry.isreg() or entry.isdir()):
        raise FetchError(f"{archive} is refused: its member {entry.name!r} is a device or no file at all")


def _leads_outside(path: str) -> bool:
    return _is_absolute(path) or ".." in path.replace("\\", "/").split("/")


def _is_absolute(path: str) -> bool:
    return path.startswith(("/", "\\")) or bool(PureWindowsPath(path).drive)


def _find(archive: Path, members: Sequence[tarfile.TarInfo], member: str) -> tarfile.TarInfo:
    path, name = posixpath.normpath(member), posixpath.basename(member)
    found = [entry for entry in members if posixpath.normpath(entry.name) == path]
    if not found:
        found = [entry for entry in members if entry.isreg() and posixpath.basename(entry.name) == name]
    if len(found) != 1:
        raise FetchError(f"{archive} has {'several files' if found else 'no file'} {member}")
    if not found[0].isreg():
        raise FetchError(f"{archive}: {member} is no regular file")
    return found[0]


def _copy(tar: tarfile.TarFile, wanted: tarfile.TarInfo, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    content = tar.extractfile(wanted)
    assert content is not None
    try:
        with content, partial.open("wb") as file:
            shutil.copyfileobj(content, file)
            if file.tell() != wanted.size:
                raise tarfile.ReadError("unexpected end of data")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
