"""What a Prefect server shows of a finished run.

Nothing of an original face and no photo's name, unless the project says `ui.show_originals: true`: whoever may look at
the server is not asked by falco.
"""

import base64
import io
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
from PIL import Image
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from falco_core.photos.codec import load_photo
from falco_core.project.folder import Project
from falco_core.project.stages import OUTCOMES, RELEASE, RELEASED, REPORT, SHEETS, WITHHELD
from falco_core.release.writer import PHOTOS_FOLDER
from falco_core.report.page import headline
from falco_core.report.pairs import most_in_need
from falco_core.report.sheet import draw_grid, thumbnail
from falco_core.store.artifact import read_table
from falco_core.store.rows import PhotoOutcome, ReleasedPhoto, Withheld
from flows.ui import RELEASE_MADE, key_of, tell
from tasks.gate import read_metrics

MOST_NAMED = 20
"""Withheld photos of one reason that are named, where names may be shown."""


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
    tell(project.root, RELEASE_MADE, {"photos": photos.total, "released": photos.released, "withheld": photos.withheld})


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
