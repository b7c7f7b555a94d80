"""validate: metrics, what became of every photo and why, and pictures to look at.

in: photos, data/photos.parquet, data/faces, data/inversions, data/anonymized, data/composed
out: reports (metrics.json, withheld.parquet, outcomes.parquet, contact_sheets/, report.html, plots/)
"""

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from falco_core.files import write_text
from falco_core.judges.finished import FinishedFaces, near_others
from falco_core.judges.measure import identity_of, released_checks
from falco_core.judges.metrics import Judged, Metrics, Photos, Rate, faces_of, utility_of
from falco_core.judges.roles import Roles
from falco_core.project.failures import mark_failures
from falco_core.project.folder import Project
from falco_core.project.stages import (
    ANONYMIZED,
    COMPOSED,
    FACES,
    INVERSIONS,
    METRICS,
    OUTCOMES,
    PHOTO_FILES,
    REPORT,
    SHEETS,
    SIMILARITY_PLOT,
    UTILITY_PLOT,
    WITHHELD,
    stage_named,
)
from falco_core.project.work import fresh_folder
from falco_core.reasons import Reason, Treatment
from falco_core.report import write_contact_sheets, write_report
from falco_core.report.outcomes import outcomes, summaries, withheld_rows
from falco_core.report.pairs import before_and_after, most_in_need
from falco_core.report.plots import privacy_utility, similarity_histogram
from falco_core.store.artifact import Artifact, read_table, write_table
from falco_core.store.rows import (
    AlignedPhoto,
    Anonymized,
    ComposedPhoto,
    Inversion,
    PhotoFile,
    PhotoOutcome,
    Withheld,
)
from tasks.batches import Execute, StageReport
from tasks.judging import judges_of, roles_of, searches_of

STAGE = stage_named("validate")


def run(project: Project, execute: Execute) -> StageReport:
    """Write everything under reports/."""
    del execute
    composed, roles = project.artifact(COMPOSED, ComposedPhoto), roles_of(project)
    faces = FinishedFaces(project.artifact(INVERSIONS, Inversion), composed, searches_of(project, STAGE))
    photos = summaries(project.artifact(FACES, AlignedPhoto), composed)
    for sha256, detail in near_others(faces, judges_of(project, roles.gate)).items():
        if photos[sha256].reason is None:
            photos[sha256] = photos[sha256].withheld(STAGE.name, Reason.NEAR_ANOTHER_ORIGINAL, detail)
    rows = list(outcomes(read_table(project.path(PHOTO_FILES), PhotoFile), photos))
    withheld = list(withheld_rows(rows, photos))
    metrics = _metrics(project, rows, faces, roles)
    write_table(project.path(WITHHELD), withheld, Withheld)
    write_table(project.path(OUTCOMES), rows, PhotoOutcome)
    write_text(project.path(METRICS), metrics.model_dump_json(indent=2) + "\n")
    _write_plots(project, faces.composed, {row.sha256 for row in rows if row.file is not None})
    pages = _sheets(project, rows)
    write_report(project.path(REPORT), metrics=metrics, withheld=withheld, sheets=pages[:1])
    mark_failures(project)
    return StageReport(STAGE.name, len(rows), len(rows))


def _metrics(project: Project, rows: Sequence[PhotoOutcome], faces: FinishedFaces, roles: Roles) -> Metrics:
    """Identical photos count once among the faces, and each among the photos."""
    released = {row.sha256 for row in rows if row.file is not None}
    count = sum(row.file is not None for row in rows)
    anonymized = project.artifact(ANONYMIZED, Anonymized)
    recognised = [item.row.attempts[0].recognised_by is not None for item in anonymized.all()]
    return Metrics(
        photos=Photos(total=len(rows), released=count, withheld=len(rows) - count),
        faces=faces_of(released_checks(faces.composed, released)),
        judges=Judged(people=roles.people, gate=roles.gate, audit=roles.audit, notices=roles.notices),
        identity=tuple(identity_of(faces, released, roles, judges_of(project, roles.all))),
        first_attempts_recognised=Rate.of(sum(recognised), len(recognised)),
        utility=utility_of(released_checks(faces.composed, released)),
    )


def _write_plots(project: Project, composed: Artifact[ComposedPhoto], released: set[str]) -> None:
    anonymized = project.artifact(ANONYMIZED, Anonymized)
    before, after, pairs = array("d"), array("d"), array("d")
    for bucket in anonymized.buckets:
        last = {item.id: item.row.attempts[-1] for item in anonymized.read(bucket)}
        before.extend(attempt.cosine_start for attempt in last.values())
        after.extend(attempt.cosine for attempt in last.values())
        for photo in composed.read(bucket):
            for check in photo.row.checks if photo.id in released else ():
                if check.treatment == Treatment.REPLACED:
                    pairs.extend((last[check.face].cosine, check.farl_cosine))
    project.path(SIMILARITY_PLOT).parent.mkdir(exist_ok=True)
    write_text(project.path(SIMILARITY_PLOT), similarity_histogram(np.array(before), np.array(after)))
    write_text(project.path(UTILITY_PLOT), privacy_utility(np.array(pairs).reshape(-1, 2)))


def _sheets(project: Project, rows: Sequence[PhotoOutcome]) -> list[Path]:
    """Contact sheets of the photos that most need a look, in as many pages as the parameters allow."""
    params = project.params.validation
    chosen = most_in_need(rows, params.sheet_photos * params.sheet_pages)
    pairs = before_and_after(
        chosen,
        project.photos,
        project.artifact(COMPOSED, ComposedPhoto),
        max_pixels=project.params.align.max_pixels,
        outline=params.outline,
    )
    with fresh_folder(project.path(SHEETS)) as folder:
        write_contact_sheets(folder, pairs, per_page=params.sheet_photos)
    return sorted(project.path(SHEETS).glob("*.png"))
