"""Photos that lie elsewhere (`input.photos: s3://…`): a copy of them, and what was copied.

    MIRROR/photos/          the copy, which the stages read
    MIRROR/files.parquet    what each file was like there when it was fetched
    MIRROR/source           the URL that the copy is of; missing while it is being changed
    MIRROR/fetched/         files that are not in their place yet

All that is new or changed is fetched before the copy is touched: an outage leaves it as it was, and what was fetched by
then is not fetched again.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from falco_core.errors import FalcoError, ProjectError, first_line, shown
from falco_core.files import make_private, text_in, write_text
from falco_core.store.artifact import read_table, write_table
from falco_core.store.place import open_place

KEY = "input.photos"
_PHOTOS, _FILES, _SOURCE, _FETCHED = "photos", "files.parquet", "source", "fetched"
_AT_ONCE = 64
"""Files that are fetched together."""
_LONGEST_NAME = 255
"""Bytes."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that lies elsewhere."""

    path: str
    """Below the URL, with forward slashes."""
    size: int
    """Bytes; -1 if the file system does not say."""
    state: str
    """sha256 over all that the file system says of it (size, etag, time): another one means that it has changed."""


@dataclass(frozen=True)
class Mirrored:
    """What a mirror had to do."""

    fetched: int
    gone: int


def files_there(url: str) -> list[RemoteFile]:
    """All files below a URL, sorted by path; raises ParamsError or ProjectError.

    A name that no file of the copy can have, or that leads out of it, is refused.
    """
    files, root = open_place(url, KEY)
    with _said(f"{url} cannot be listed"):
        files.invalidate_cache()
        found: dict[str, dict[str, Any]] = files.find(root, detail=True)
    root = root.rstrip("/")
    # A key that ends with a slash is how some programs mark a folder.
    wanted = {name: info for name, info in found.items() if info["type"] == "file" and not name.endswith("/")}
    if root in wanted:
        raise ProjectError(f"{KEY}: {url} is a file: name the folder that holds the photos")
    rows = sorted((_row(root, name, info) for name, info in wanted.items()), key=lambda row: row.path)
    folders = {parent for row in rows for parent in _parents(row.path)}
    for row in rows:
        if not _can_be_a_file(row.path) or row.path in folders:
            raise ProjectError(f"{KEY}: {url} holds {shown(row.path)}, which no folder can hold: rename it there")
    return rows


def mirror(url: str, there: Sequence[RemoteFile], folder: Path, progress: Callable[[int, int], None]) -> Mirrored:
    """Make the copy in `folder` equal to the files `there`, found under `url`; raises ProjectError.

    progress: told how many of how many files are fetched.
    """
    photos = folder / _PHOTOS
    make_private(folder)
    photos.mkdir(exist_ok=True)
    known = {row.path: row for row in _remembered(folder)}
    new = [row for row in there if known.get(row.path) != row or not _is_whole(photos / row.path, row)]
    _fetch(url, new, folder / _FETCHED, progress)
    source = folder / _SOURCE
    if new or known.keys() != {row.path for row in there} or text_in(source) != url:
        source.unlink(missing_ok=True)
    changing = {row.path for row in new}
    # What is written down never says more than there is, wherever this ends.
    write_table(folder / _FILES, (row for row in there if row.path not in changing), RemoteFile)
    gone = _drop_others(photos, {row.path for row in there})
    for row in new:
        target = photos / row.path
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / _FETCHED / row.state).replace(target)
    write_table(folder / _FILES, there, RemoteFile)
    shutil.rmtree(folder / _FETCHED, ignore_errors=True)
    if not source.exists():
        write_text(source, url)
    return Mirrored(len(new), gone)


def copy_in(folder: Path) -> Path:
    """Where the mirror in `folder` has its copy."""
    return folder / _PHOTOS


def check_copy(photos: Path, url: str) -> None:
    """Raise ProjectError unless `photos` is a whole copy of what lay under `url`."""
    if text_in(photos.parent / _SOURCE) != url or not photos.is_dir():
        raise ProjectError(f"{KEY}: {url} is not fetched yet: call `falco run` or `falco init`")


def _row(root: str, name: str, info: dict[str, Any]) -> RemoteFile:
    path = name.removeprefix(f"{root}/")
    said = "\n".join(f"{key} {info[key]!r}" for key in sorted(info))
    size = info.get("size")
    state = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
    return RemoteFile(path, -1 if size is None else int(size), state)


def _parents(path: str) -> Iterator[str]:
    while (path := path.rpartition("/")[0]) != "":
        yield path


def _can_be_a_file(path: str) -> bool:
    try:
        parts = [part.encode() for part in path.split("/")]
    except UnicodeEncodeError:
        return False
    return all(part not in (b"", b".", b"..") and b"\0" not in part and len(part) <= _LONGEST_NAME for part in parts)


def _fetch(url: str, rows: Sequence[RemoteFile], into: Path, progress: Callable[[int, int], None]) -> None:
    files, root = open_place(url, KEY)
    make_private(into)
    missing = [row for row in rows if not (into / row.state).is_file()]
    done = len(rows) - len(missing)
    for start in range(0, len(missing), _AT_ONCE):
        chunk = missing[start : start + _AT_ONCE]
        partial = {row: into / f"{row.state}.partial" for row in chunk}
        with _said(f"{url} cannot be fetched"):
            files.get([f"{root.rstrip('/')}/{row.path}" for row in chunk], [str(path) for path in partial.values()])
        for row, path in partial.items():
            if not _is_whole(path, row):
                raise ProjectError(f"{KEY}: {url} changed while it was fetched: run again when it is at rest")
            path.replace(into / row.state)
        done += len(chunk)
        progress(done, len(rows))


def _is_whole(path: Path, row: RemoteFile) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and row.size in (-1, found.st_size)


def _drop_others(photos: Path, wanted: set[str]) -> int:
    """Delete every file but the wanted ones, and folders that are empty then; returns how many files."""
    gone = 0
    for folder, folders, names in os.walk(photos, topdown=False):
        for name in names:
            path = Path(folder, name)
            if path.relative_to(photos).as_posix() not in wanted:
                path.unlink()
                gone += 1
        for name in folders:
            with suppress(OSError):
                Path(folder, name).rmdir()
    return gone


def _remembered(folder: Path) -> Iterator[RemoteFile]:
    # A damaged list costs time only.
    with suppress(ProjectError):
        yield from read_table(folder / _FILES, RemoteFile)


@contextmanager
def _said(what: str) -> Iterator[None]:
    """What any file system of any library says against it, in one line."""
    try:
        yield
    except FalcoError:
        raise
    except Exception as error:
        raise ProjectError(f"{KEY}: {what}: {first_line(error)}: the photos that were fetched before stay") from None
