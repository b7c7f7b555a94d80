"""What a run shows while it goes: a bar with rate and time left in a terminal, plain lines anywhere else."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from falco_core.errors import printable

BATCH = re.compile(r"(\w+): batch (\d+) of (\d+)")
"""A line of progress: see `tasks.batches.progress_line`."""


class Show(Protocol):
    """Takes a stage's lines as they come."""

    def line(self, text: str) -> None:
        """Show one line."""


class PlainLines:
    """Every line as it is."""

    def line(self, text: str) -> None:
        """Print it."""
        print(printable(text), flush=True)


class Bars:
    """A bar per stage; other lines above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(markup=False, highlight=False),
        )
        self._tasks: dict[str, int] = {}

    def line(self, text: str) -> None:
        """Move the stage's bar, or print the line above the bars."""
        found = BATCH.fullmatch(text.strip())
        if found is None:
            self.progress.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
            return
        stage, done, total = found[1], int(found[2]), int(found[3])
        if stage not in self._tasks:
            self._tasks[stage] = self.progress.add_task(stage, total=total, rate="")
        task = self.progress.tasks[self._tasks[stage]]
        self.progress.update(task.id, completed=done, total=total, rate=_rate(done, task.elapsed))


def _rate(done: int, seconds: float | None) -> str:
    return f"{60 * done / seconds:.1f} batches/min" if seconds else ""


_SHOW: Show = PlainLines()


@contextmanager
def shown() -> Iterator[None]:
    """Show what stages say, while the block runs, as fits where standard output goes."""
    global _SHOW
    if not sys.stdout.isatty():
        yield
        return
    bars = Bars()
    _SHOW = bars
    try:
        with bars.progress:
            yield
    finally:
        _SHOW = PlainLines()


def show(text: str) -> None:
    """Show a line of a stage."""
    _SHOW.line(text)
