"""Processes that a run starts: each in a group of its own, so that an interrupt can end all of it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 2.5
"""Seconds in which a process may end in its own way when it is asked to."""

_RUNNING: set[int] = set()


@contextmanager
def child(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process whose output (both streams) is read as text; it has no input and no terminal."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        _RUNNING.add(process.pid)
        try:
            yield process
        except BaseException:
            # Nobody reads what it says any more.
            end(process)
            raise
        finally:
            process.wait()
            _RUNNING.discard(process.pid)


def end(process: "subprocess.Popen[str]") -> None:
    """Kill a process with all that it started."""
    _signal({process.pid}, signal.SIGKILL)


def stop_children() -> None:
    """End every process group that was started here: asked first, then killed; returns when none is left."""
    groups = set(_RUNNING)
    _signal(groups, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while any(_lives(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(groups, signal.SIGKILL)


def _signal(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
