"""What a Prefect server is told while a project's stages run: how far they are, and what automations wait for."""

import re
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.events import emit_event

GATE_CLOSED = "falco.gate.closed"
RELEASE_MADE = "falco.release.made"
"""Events that automations can wait for."""


def name_of(root: Path) -> str:
    """What the project at `root` is called on a server."""
    return re.sub("[^a-z0-9]+", "-", root.name.lower()).strip("-") or "dataset"


def key_of(root: Path, what: str) -> str:
    """The key under which the server keeps the history of one kind of artifact of the project at `root`."""
    return f"{name_of(root)}-{what}"


def tell(root: Path, event: str, payload: dict[str, str | int]) -> None:
    """Send an event that concerns the dataset of the project at `root`."""
    dataset = {"prefect.resource.id": f"falco.{key_of(root, 'dataset')}"}
    emit_event(event, resource=dataset, payload=payload)


class StageProgress:
    """A bar on the server for the batches of a stage; of stages without batches there is none."""

    def __init__(self, root: Path, stage: str) -> None:
        self._key = key_of(root, f"{stage}-progress")
        self._artifact: UUID | None = None
        self._percent = 0

    def show(self, done: int, total: int) -> None:
        """`done` batches of `total` are done."""
        percent = 100 * done // total
        if self._artifact is None:
            made = create_progress_artifact(float(percent), key=self._key, description="Batches done")
            self._artifact = cast(UUID, made)  # outside of coroutines it is one at once
        elif percent != self._percent:
            update_progress_artifact(self._artifact, float(percent))
        self._percent = percent
