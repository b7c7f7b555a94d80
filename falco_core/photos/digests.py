"""sha256 of every photo: each is read once, and again only when its size or time has changed."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from falco_core.errors import ProjectError
from falco_core.files import open_regular
from falco_core.store.artifact import read_table, write_table
from falco_core.store.rows import PhotoFile

SETTLED_NS = 2 * 10**9
"""A file that was changed less than this before it was read may change again within one tick of its clock."""


@dataclass(frozen=True)
class _Known:
    """What a photo's file was like when it was hashed."""

    photo: str
    size: int
    mtime_ns: int
    sha256: str


def photo_files(root: Path, photos: Sequence[str], index: Path) -> list[PhotoFile]:
    """The `photos` (paths inside `root`) with their digests, in the same order; `index` remembers them.

    A photo that cannot be read has an empty digest.
    """
    known = {row.photo: row for row in _remembered(index)}
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda photo: _hashed(root, photo, known.get(photo)), photos))
    settled = time.time_ns() - SETTLED_NS
    write_table(index, (row for row in found if row.sha256 and row.mtime_ns < settled), _Known)
    return [PhotoFile(row.photo, row.sha256) for row in found]


def read_photo(root: Path, photo: str, sha256: str) -> bytes:
    """A photo's bytes; raises ProjectError if they are no longer those of `sha256`."""
    try:
        with open_regular(root / photo) as file:
            data = file.read()
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ProjectError(f"{photo} changed during the run: run again when the photo folder is at rest")
    return data


def _remembered(index: Path) -> Iterator[_Known]:
    # A damaged index costs time only.
    with suppress(ProjectError):
        yield from read_table(index, _Known)


def _hashed(root: Path, photo: str, known: _Known | None) -> _Known:
    try:
        state = (root / photo).stat()
        if known is not None and (known.size, known.mtime_ns) == (state.st_size, state.st_mtime_ns):
            return known
        with open_regular(root / photo) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return _Known(photo, 0, 0, "")
    return _Known(photo, state.st_size, state.st_mtime_ns, digest)
