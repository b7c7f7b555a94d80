"""validate: metrics, the list of what is withheld and why, and pictures to look at.

in: photos, data/faces, data/inversions, data/anonymized, data/composed
out: reports (metrics.json, withheld.parquet, contact_sheet.png, report.html)
"""

from pathlib import Path
from typing import Any

from falco_core.errors import UnreadablePhoto
from falco_core.images import load_photo
from falco_core.judges import Metrics, dataset_metrics
from falco_core.report import BeforeAfter, thumbnail, write_contact_sheet, write_report
from falco_core.tables import CHECKS, COMPOSED, PHOTOS, WITHHELD, read_table, write_table
from tasks.batches import Execute, StageReport
from tasks.project import Project
from tasks.stages import COMPOSED as COMPOSED_FOLDER
from tasks.stages import FACES as FACES_FOLDER
from tasks.stages import METRICS, REPORT, SHEET, stage_named
from tasks.stages import WITHHELD as WITHHELD_TABLE

STAGE = stage_named("validate")


def run(project: Project, execute: Execute) -> StageReport:
    """Write everything under reports/."""
    del execute
    photos = read_table(project.path(FACES_FOLDER, "photos.parquet"), PHOTOS)
    composed = read_table(project.path(COMPOSED_FOLDER, "composed.parquet"), COMPOSED)
    withheld = _withheld(project)
    metrics = _metrics(project, photos, composed)
    project.path(METRICS).parent.mkdir(parents=True, exist_ok=True)
    project.path(METRICS).write_text(metrics.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_table(project.path(WITHHELD_TABLE), withheld, WITHHELD)
    write_contact_sheet(project.path(SHEET), _pairs(project, photos, composed, withheld))
    write_report(project.path(REPORT), metrics=metrics, withheld=withheld, sheet=project.path(SHEET))
    return StageReport(STAGE.name, len(photos), len(photos))


def _metrics(project: Project, photos: list[dict[str, Any]], composed: list[dict[str, Any]]) -> Metrics:
    limit = project.params.compose.max_heldout_similarity
    return dataset_metrics(
        total=len(photos),
        released={row["photo"] for row in composed},
        checks=read_table(project.path(COMPOSED_FOLDER, "checks.parquet"), CHECKS),
        threshold=project.spec.thresholds.heldout if limit is None else limit,
    )


def _withheld(project: Project) -> list[dict[str, Any]]:
    rows = []
    for folder in (FACES_FOLDER, COMPOSED_FOLDER):
        rows += read_table(project.path(folder, "withheld.parquet"), WITHHELD)
    return sorted(rows, key=lambda row: row["photo"])


def _pairs(
    project: Project,
    photos: list[dict[str, Any]],
    composed: list[dict[str, Any]],
    withheld: list[dict[str, Any]],
) -> list[BeforeAfter]:
    file_of = {row["photo"]: row["file"] for row in composed}
    reason_of = {row["photo"]: row["reason"] for row in withheld}
    pairs = []
    for row in photos[: project.params.validation.sheet_photos]:
        name = row["photo"]
        limit = project.params.align.max_pixels
        before = _pixels(project.photos / name, limit) if row["width"] else None
        after = None
        if name in file_of:
            after = _pixels(project.path(COMPOSED_FOLDER, "photos", file_of[name]), limit)
        pairs.append(BeforeAfter(name, before, after, reason_of.get(name, "")))
    return pairs


def _pixels(path: Path, max_pixels: int) -> Any:
    try:
        return thumbnail(load_photo(path, max_pixels=max_pixels).pixels)
    except UnreadablePhoto:
        return None
