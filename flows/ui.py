"""What a Prefect server shows of a project. Nothing of an original face and no photo's name, unless the project says
`ui.show_originals: true`: whoever may look at the server is not asked by falco.
"""

import base64
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from uuid import UUID

import numpy as np
from PIL import Image
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.events import emit_event

from falco_core.photos.codec import load_photo
from falco_core.project.folder import Project
from falco_core.project.stages import OUTCOMES, RELEASE, RELEASED, REPORT, SHEETS, WITHHELD
from falco_core.release.writer import PHOTOS_FOLDER
from falco_core.report.page import headline
from falco_core.report.pairs import most_in_need
from falco_core.report.sheet import draw_grid, thumbnail
from falco_core.store.artifact import read_table
from falco_core.store.rows import PhotoOutcome, ReleasedPhoto, Withheld
from tasks.gate import read_metrics

GATE_CLOSED = "falco.gate.closed"
RELEASE_MADE = "falco.release.made"
"""Events that automations can wait for."""
MOST_NAMED = 20
"""Withheld photos of one reason that are named, where names may be shown."""


def key_of(root: Path, what: str) -> str:
    """The key under which the server keeps the history of one kind of artifact of the project at `root`."""
    name = re.sub("[^a-z0-9]+", "-", root.name.lower()).strip("-") or "dataset"
    return f"{name}-{what}"


def publish(project: Project) -> None:
    """Show a finished run: its metrics, what was withheld and why, a sheet of photos, where the report lies."""
    metrics = read_metrics(project)
    figures = [{"figure": name, "value": value} for name, value in headline(metrics)]
    create_table_artifact(figures, key=key_of(project.root, "metrics"), description="Metrics of the newest version")
    create_table_artifact(
        list(_withheld(project)), key=key_of(project.root, "withheld"), description="Photos not released"
    )
    create_link_artifact(
        project.path(REPORT).as_uri(),
        link_text="report.html on the machine that made it (private: it shows originals)",
        key=key_of(project.root, "report"),
    )
    create_markdown_artifact(
        _sheet(project), key=key_of(project.root, "sheet"), description="Those that most need a look come first"
    )
    photos = metrics.photos
    _tell(project, RELEASE_MADE, {"photos": photos.total, "released": photos.released, "withheld": photos.withheld})


def tell_closed(project: Project, why: str) -> None:
    """Send the event that the gate is closed, so that somebody can be told."""
    _tell(project, GATE_CLOSED, {"why": why})


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


def _withheld(project: Project) -> Iterator[dict[str, str | int]]:
    """A row per stage and reason."""
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for photo in read_table(project.path(WITHHELD), Withheld):
        names[photo.stage, photo.reason.value].append(photo.photo)
    count = Counter({key: len(photos) for key, photos in names.items()})
    for (stage, reason), number in count.most_common():
        row: dict[str, str | int] = {"reason": reason, "decided by": stage, "photos": number}
        if project.params.ui.show_originals:
            row["which"] = ", ".join(names[stage, reason][:MOST_NAMED])
        yield row


def _sheet(project: Project) -> str:
    """Markdown with one picture: finished photos alone, or those beside their originals."""
    pages, thumbnails = [], []
    if project.params.ui.show_originals:
        pages = sorted(project.path(SHEETS).glob("*.png"))
    else:
        thumbnails = list(_finished(project))
    if not (pages or thumbnails):
        return "No photo is released."
    picture = Image.open(pages[0]) if pages else draw_grid(thumbnails)
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=80)
    return f"![photos](data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()})"


def _finished(project: Project) -> Iterator[np.ndarray]:
    """Released photos, made small, those that most need a look first."""
    name_of = {row.photo: row.name for row in read_table(project.path(RELEASED), ReleasedPhoto)}
    rows = [row for row in read_table(project.path(OUTCOMES), PhotoOutcome) if name_of.get(row.photo)]
    folder, most = project.path(RELEASE, PHOTOS_FOLDER), project.params.align.max_pixels
    for row in most_in_need(rows, project.params.validation.sheet_photos):
        yield thumbnail(load_photo(folder / str(name_of[row.photo]), max_pixels=most).pixels)


def _tell(project: Project, event: str, payload: dict[str, str | int]) -> None:
    emit_event(
        event, resource={"prefect.resource.id": f"falco.dataset.{key_of(project.root, 'release')}"}, payload=payload
    )
