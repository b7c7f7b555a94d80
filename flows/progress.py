"""What a run shows while it goes: a bar with rate and time left in a terminal, plain lines anywhere else."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from falco_core.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

BATCH = re.compile(r"(\w+): batch (\d+) of (\d+)")
"""A line of progress: see `tasks.batches.progress_line`."""


class Show(Protocol):
    """Takes what stages say as it comes."""

    def begin(self, stage: str) -> None:
        """A stage begins."""

    def line(self, text: str) -> None:
        """It says something."""


class PlainLines:
    """Every line as it is."""

    def begin(self, stage: str) -> None:
        """A stage's lines begin with its name: nothing to say yet."""

    def line(self, text: str) -> None:
        """Print it."""
        print(printable(text), flush=True)


class Bars:
    """A bar for the stage that runs; all that is not progress above it."""

    def __init__(self, console: "Console") -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task, self._first = self.progress.add_task("", visible=False, speed=""), (0, 0.0)

    def begin(self, stage: str) -> None:
        """Show a bar without an end: how much there is to do is said by the stage."""
        self.progress.remove_task(self._task)
        self._task = self.progress.add_task(stage, total=None, speed="")
        self._first = (0, 0.0)

    def line(self, text: str) -> None:
        """Move the stage's bar, or print the line above it."""
        found = BATCH.fullmatch(text.strip())
        if found is None:
            self.progress.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
            return
        done, total, now = int(found[2]), int(found[3]), time.monotonic()
        # The first batch waits for the libraries: speed is measured from its end on.
        if not self._first[0]:
            self._first = (done, now)
        speed = speed_of(done - self._first[0], now - self._first[1], total - done)
        self.progress.update(self._task, completed=done, total=total, speed=speed)


def speed_of(done: int, seconds: float, left: int) -> str:
    """Rate and time left, after so many batches in so many seconds; empty as long as nobody can know."""
    if done <= 0 or seconds <= 0:
        return ""
    minutes, rest = divmod(round(left * seconds / done), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{60 * done / seconds:.1f} batches/min, {hours}:{minutes:02d}:{rest:02d} left"


_SHOW: Show = PlainLines()


@contextmanager
def shown() -> Iterator[None]:
    """Show what stages say, while the block runs, as fits where standard output goes."""
    global _SHOW
    if not sys.stdout.isatty():
        yield
        return
    from rich.console import Console

    bars = Bars(Console())
    _SHOW = bars
    try:
        with bars.progress:
            yield
    finally:
        _SHOW = PlainLines()


def begin(stage: str) -> None:
    """A stage begins."""
    _SHOW.begin(stage)


def show(text: str) -> None:
    """Show a line of a stage."""
    _SHOW.line(text)
