"""SIGINT, SIGTERM and SIGHUP: one line and out, within five seconds whatever the process is busy with."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WATCHED = "FALCO_WATCHED"
"""Environment variable: the process that a stage must not outlive."""
SECONDS = 4.5
"""After which a process that is still cleaning up, or deep in a library, ends all the same."""


class Interrupted(BaseException):
    """The user, or the system, wants this process to end; not an Exception, so that nobody takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted in the main thread at the first signal, ignore all further ones, and see to the end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # Python tells a handler only between two of its own steps; the pipe is written at once.
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGTERM:
            signal.signal(number, _raise)
    yield


def leave(error: Interrupted) -> NoReturn:
    """Say that it was interrupted, and end this process without waiting for its threads."""
    print(f"falco: {error}; what is done is kept: run again to go on", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(128 + error.number)


def end_with_watched() -> None:
    """End this process soon after the one that `WATCHED` names is gone, however that ended."""
    if not (number := os.environ.get(WATCHED)):
        return
    import psutil

    try:
        watched = psutil.Process(int(number))
    except psutil.NoSuchProcess:
        os._exit(128 + signal.SIGTERM)
    threading.Thread(target=_end_after, args=(watched,), daemon=True).start()


def _end_after(watched: "psutil.Process") -> None:
    import psutil

    with suppress(psutil.NoSuchProcess):
        while watched.is_running() and watched.status() != psutil.STATUS_ZOMBIE:
            time.sleep(1)
    os.write(2, b"falco: whoever started this stage is gone\n")
    os._exit(128 + signal.SIGTERM)


def _raise(number: int, _: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


def _watch(reading: int) -> None:
    """Wait for a signal of ours, then for SECONDS, then end the process."""
    while (number := os.read(reading, 1)[0]) not in SIGNALS:
        continue
    time.sleep(SECONDS)
    os.write(2, b"falco: interrupted\n")
    os._exit(128 + number)
