"""Any folder tree of photos, and what else lies in it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from falco_core.photos.opening import SUFFIXES

PHOTO_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)

HIDDEN = "hidden"
OTHER_FORMAT = "no format that falco reads"
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a link to a folder",
}


@dataclass(frozen=True)
class PassedOver:
    """A path inside the photo folder that is no photo for falco, and why not."""

    path: str
    """With forward slashes; bytes that are not UTF-8 are question marks."""
    cause: str

    @property
    def disturbs(self) -> bool:
        """Whether a program that reads every file would wait for it, fail at it, or leave the folder through it."""
        return self.cause not in (HIDDEN, OTHER_FORMAT)


def list_photos(root: Path) -> tuple[list[PurePosixPath], list[PassedOver]]:
    """Photos under `root` as sorted relative paths, and everything else, each with its cause, sorted, too.

    Nothing is opened or waited for. Hidden files and folders are passed over as a whole, links are followed only to
    files inside `root`. A file whose name is not UTF-8 is no photo: no table could name it.
    """
    inside = os.path.realpath(root)
    photos: list[PurePosixPath] = []
    others: list[PassedOver] = []
    for path, cause in _walk(root, "", inside):
        if cause is None:
            photos.append(PurePosixPath(path))
        else:
            others.append(PassedOver(path.encode("utf-8", "replace").decode(), cause))
    return sorted(photos), sorted(others, key=lambda other: other.path)


def is_photo(path: PurePosixPath) -> bool:
    """Whether a path in a photo folder, by its name alone, is that of a photo."""
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.suffix.lower() in PHOTO_SUFFIXES


def _walk(root: Path, start: str, inside: str) -> Iterator[tuple[str, str | None]]:
    """Every path below `root`/`start` and why it is passed over; None: it is a photo."""
    folders = [start]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                found = list(entries)
        except OSError as error:
            yield folder or ".", f"a folder that cannot be opened ({error.strerror})"
            continue
        for entry in found:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith("."):
                yield path, HIDDEN
            elif entry.is_dir(follow_symlinks=False):
                folders.append(path)
            else:
                yield path, _cause(entry, inside)


def _cause(entry: os.DirEntry[str], inside: str) -> str | None:
    """Why something that is no folder is no photo; None: it is one."""
    if not _is_unicode(entry.path):
        return "its name is not UTF-8: rename it"
    try:
        mode = entry.stat().st_mode
    except OSError:
        return "a link to nothing" if entry.is_symlink() else "it cannot be looked at"
    if entry.is_symlink() and not _is_below(os.path.realpath(entry.path), inside):
        return "a link that leads out of the photo folder"
    if not stat.S_ISREG(mode):
        return _KINDS.get(stat.S_IFMT(mode), "no file")
    if os.path.splitext(entry.name)[1].lower() not in PHOTO_SUFFIXES:  # noqa: PTH122 (a million of them)
        return OTHER_FORMAT
    return None if os.access(entry.path, os.R_OK) else "it cannot be read: change its permissions"


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
