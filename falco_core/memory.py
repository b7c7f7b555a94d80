"""The C library's memory while tensors come and go.

A tensor of a 1024 px image takes 134 MB, and a step of an optimization makes hundreds of them. The C library gives such
blocks back to the system when they are freed; getting one again, page by page, takes ten times as long as the
arithmetic on it. So they are kept while there is work, and given back after it.
"""

import ctypes
import os
from pathlib import Path

import psutil

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Numbers of settings in malloc.h."""
_DEFAULT_TRIM_THRESHOLD, _DEFAULT_MMAP_MAX = 128 * 1024, 65536
_GROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)
"""A control group's limit, what it uses, and what of that is files that can be read again: versions 2 and 1."""


def keep_freed_blocks() -> None:
    """Keep what is freed, in one place for all threads (that there is one place stays so: glibc asks once)."""
    _set({_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _ARENA_MAX: 1})


def give_back_freed_blocks() -> None:
    """Give back what is free now, and from now on at once."""
    _set({_MMAP_MAX: _DEFAULT_MMAP_MAX, _TRIM_THRESHOLD: _DEFAULT_TRIM_THRESHOLD})
    _trim()


def available(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process may still take: what the machine has, or less where a container is limited."""
    _trim()
    return min([int(psutil.virtual_memory().available), *_left_in_groups(groups)])


def _left_in_groups(groups: Path) -> list[int]:
    found = []
    for limit, used, files in _GROUP_FILES:
        try:
            most, now = int((groups / limit).read_text()), int((groups / used).read_text())
            counts = dict(line.split() for line in (groups / used).with_name("memory.stat").read_text().splitlines())
            found.append(max(0, most - now + int(counts.get(files, 0))))
        except (OSError, ValueError):
            # No such group, or one without a limit: "max".
            continue
    return found


_LIBRARY = ctypes.CDLL(None)
_CHOSEN = any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
"""Whether somebody has settings of his own."""


def _trim() -> None:
    if hasattr(_LIBRARY, "malloc_trim"):
        _LIBRARY.malloc_trim(0)


def _set(settings: dict[int, int]) -> None:
    """Other C libraries than glibc have no such settings, and get none."""
    if hasattr(_LIBRARY, "mallopt") and not _CHOSEN:
        for number, value in settings.items():
            _LIBRARY.mallopt(number, value)
