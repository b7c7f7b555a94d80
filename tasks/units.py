"""Units: groups of batches that a worker, perhaps of another machine, computes one after the other."""

import importlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import uuid4

from falco_core.errors import ProjectError
from falco_core.project.folder import Project
from falco_core.project.stages import stage_named
from falco_core.project.work import Entry, batches_of
from tasks.batches import KeyedStage

PER_GROUP = 16
"""Units at most that the batches of a group of items make: a million faces are some thousands of task runs."""
_ONE_AT_A_TIME = Lock()
"""Networks use all the cores, or the GPU, that a process has: a second unit in it would only take memory."""


@dataclass(frozen=True)
class Unit:
    """Some batches of a stage. Its repr is safe to be logged: what it holds names photos."""

    stage: str
    version: int
    project: Project = field(repr=False)
    batches: Sequence[list[Entry[Any]]] = field(repr=False)
    id: str = field(default_factory=lambda: uuid4().hex)


def units_of(stage: str, project: Project, batches: Sequence[list[Entry[Any]]]) -> list[Unit]:
    """The batches in their order, in units of about the same size."""
    size = -(-len(batches) // PER_GROUP)
    return [Unit(stage, stage_named(stage).version, project, part) for part in batches_of(batches, max(1, size))]


def compute(unit: Unit, *, again: bool = False) -> Iterator[int]:
    """Compute and keep batch after batch; yields their numbers in the unit.

    again: a worker was lost that had begun with this unit; whole batches that it has kept are not computed anew.
    Raises ProjectError where the stage's code is of another version than that which asks for the unit.
    """
    own = stage_named(unit.stage).version
    if own != unit.version:
        raise ProjectError(
            f"{unit.stage}: a worker has version {own} of this stage, the run has {unit.version}: "
            "install the same falco wherever workers run"
        )
    keyed: KeyedStage = importlib.import_module(f"tasks.{unit.stage}").KEYED
    with _ONE_AT_A_TIME:
        kept = _kept(unit, keyed) if again else ()
        for number, batch in enumerate(unit.batches):
            if not all(entry.id in kept for entry in batch):
                keyed.compute(unit.project, batch)
            yield number


def _kept(unit: Unit, keyed: KeyedStage) -> Collection[str]:
    wanted = {entry.id: entry.key for batch in unit.batches for entry in batch}
    return unit.project.kept(keyed.stage, keyed.row_class, ()).in_batches(wanted)
