"""The C library's memory while tensors come and go.

A tensor of a 1024 px image takes 134 MB, and a step of an optimization makes hundreds of them. The C library gives such
blocks back to the system when they are freed; getting one again, page by page, takes ten times as long as the
arithmetic on it. So they are kept while there is work, and given back after it.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Numbers of settings in malloc.h."""
_DEFAULT_TRIM_THRESHOLD, _DEFAULT_MMAP_MAX = 128 * 1024, 65536


def keep_freed_blocks() -> None:
    """Keep what is freed, in one place for all threads."""
    _set({_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _ARENA_MAX: 1})


def give_back_freed_blocks() -> None:
    """Give back what is free now, and from now on at once."""
    _set({_MMAP_MAX: _DEFAULT_MMAP_MAX, _TRIM_THRESHOLD: _DEFAULT_TRIM_THRESHOLD})
    if hasattr(_LIBRARY, "malloc_trim"):
        _LIBRARY.malloc_trim(0)


_LIBRARY = ctypes.CDLL(None)


def _set(settings: dict[int, int]) -> None:
    """Other C libraries than glibc have no such settings, and get none."""
    if hasattr(_LIBRARY, "mallopt"):
        for number, value in settings.items():
            _LIBRARY.mallopt(number, value)
