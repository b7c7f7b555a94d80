"""Pieces of work side by side, each with the arithmetic of one thread.

Libraries share out a sum among their threads, and its last bits depend on how many these are: an optimization makes
that visible. So every piece is computed with one thread, and as many pieces at a time as there are cores: what comes
out is the same on any number of cores, and no thread waits for another one in a loop.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, get_ident
from typing import TypeVar

import cv2
import torch

from falco_core.memory import give_back_freed_blocks, keep_freed_blocks

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Users:
    """Which threads need one thread now, how deep, and how many torch had in each of them before, OpenCV before the
    first; alone: the thread whose piece of work has the machine for itself.
    """

    depth: Counter[int] = field(default_factory=Counter)
    torch_before: dict[int, int] = field(default_factory=dict)
    cv2_before: int = 1
    alone: int | None = None


_USERS, _LOCK = _Users(), Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and OpenCV compute with one thread, here and in `side_by_side`, as long as anybody needs that."""
    own = get_ident()
    with _LOCK:
        if not _USERS.depth:
            _USERS.cv2_before = cv2.getNumThreads()
            keep_freed_blocks()
        if not _USERS.depth[own]:
            _USERS.torch_before[own] = torch.get_num_threads()
        _USERS.depth[own] += 1
        # Torch has a number for each thread, so each has to say it for itself.
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _LOCK:
            _USERS.depth[own] -= 1
            if not _USERS.depth[own]:
                torch.set_num_threads(_USERS.torch_before.pop(own))
            _USERS.depth += Counter()  # without those that need it no more
            if not _USERS.depth:
                cv2.setNumThreads(_USERS.cv2_before)
                give_back_freed_blocks()


def side_by_side(function: Callable[[Item], Result], items: Iterable[Item], *, most: int | None = None) -> list[Result]:
    """`function` of every item, in order: at most `most` at a time (None: as many as there are cores).

    Raises what the first of them that failed did, when all that had begun have ended.
    """
    todo = list(items)
    count = min(len(todo), cores(), most or len(todo))
    with one_thread():
        if count <= 1:
            return _one_by_one(function, todo)
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            # `map` cancels what has not begun when one fails, and lets go of errors and of what their frames hold.
            return list(pool.map(function, todo))


@contextmanager
def all_threads() -> Iterator[None]:
    """Let torch use every core if the piece of work at hand is the only one: for arithmetic whose results are known not
    to depend on their number.
    """
    if _USERS.alone != get_ident():
        yield
        return
    torch.set_num_threads(cores())
    try:
        yield
    finally:
        torch.set_num_threads(1)


def parts_of_one(function: Callable[[Item], Result], parts: Iterable[Item]) -> list[Result]:
    """`function` of every part of the piece of work at hand, in order: side by side if it is the only one."""
    return side_by_side(function, parts) if _USERS.alone == get_ident() else [function(part) for part in parts]


def _one_by_one(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    # Torch's number of threads is partly one for the process: nobody else may be at work.
    own = get_ident()
    with _LOCK:
        alone, before = set(_USERS.depth) == {own}, _USERS.alone
        _USERS.alone = own if alone else before
    try:
        return [function(item) for item in items]
    finally:
        if alone:
            _USERS.alone = before


def cores() -> int:
    """How many pieces of work this process may do at a time: OMP_NUM_THREADS, else the cores that it may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdecimal():
        return max(1, int(named))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
