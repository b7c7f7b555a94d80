"""How a stage hands its work on: batches of entries, run by whoever drives the stage."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from falco_core.project.folder import Project
from falco_core.project.stages import Stage
from falco_core.project.work import Done, Entry, batches_of, keep_up


class Execute(Protocol):
    """Runs `keyed.compute(project, batch)` for every batch, anywhere and in any order; raises if one fails."""

    def __call__(self, keyed: "KeyedStage", project: Project, batches: Sequence[list[Entry[Any]]]) -> None:
        """Return when all batches are done."""


@dataclass(frozen=True)
class StageReport:
    """What a stage says at its end."""

    stage: str
    total: int
    computed: int
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        line = f"{self.stage}: {self.total} items, {self.computed} computed, {self.total - self.computed} kept"
        return "; ".join((line, *self.notes))


@dataclass(frozen=True)
class KeyedStage:
    """A stage whose work is kept: its row of the table, what it writes, and how a batch of it is computed and kept.

    The batches get the very project, parameters included, that the plan was made with.
    """

    stage: Stage
    out: str
    row_class: type[Any]
    work: Callable[[Project, list[Entry[Any]]], None]

    def compute(self, project: Project, batch: list[Entry[Any]]) -> None:
        """Compute and keep a batch, by arithmetic that is the same on any number of cores."""
        # Imports torch, which stages without anything new need not.
        from falco_core.parallel import one_thread

        with one_thread():
            self.work(project, batch)

    def run(
        self,
        project: Project,
        execute: Execute,
        buckets: Sequence[str],
        plan: Callable[[str], Iterable[Entry[Any]]],
        *,
        size: Callable[[], int],
    ) -> Done:
        """Compute what is not kept of what `plan` wants in each bucket, `size()` at a time, and write the artifact."""
        return keep_up(
            project.kept(self.stage, self.row_class, buckets),
            buckets,
            plan,
            lambda entries: execute(self, project, batches_of(entries, size())),
            project.path(self.out),
        )


def execute_here(keyed: KeyedStage, project: Project, batches: Sequence[list[Entry[Any]]]) -> None:
    """The plain way: one batch after the other in this process, with a line of progress each."""
    for number, batch in enumerate(batches, start=1):
        keyed.compute(project, batch)
        print(progress_line(keyed, number, len(batches)), flush=True)


def progress_line(keyed: KeyedStage, done: int, total: int) -> str:
    """What a stage prints after each batch."""
    return f"{keyed.stage.name}: batch {done} of {total}"
