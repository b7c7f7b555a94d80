"""Files that others put there: opened only if they are files, never waited for."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

PRIVATE = 0o700
"""Mode of the folders that hold what was made of originals."""


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading, or a link to one.

    Raises OSError for anything else: a FIFO or a device is never waited for, also where it took a file's place in
    between.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def make_private(folder: Path) -> None:
    """Make a folder that nobody but its owner may enter, or shut one that is there."""
    folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != PRIVATE:
        folder.chmod(PRIVATE)


def text_in(path: Path) -> str:
    """What a text file holds, any bytes of it; nothing if there is no file."""
    if not path.is_file():
        return ""
    with open_regular(path) as file:
        return file.read().decode("utf-8", "surrogateescape")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; a link in its place is replaced, never written through."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, as `write_text` does."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
