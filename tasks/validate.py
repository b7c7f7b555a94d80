"""validate: metrics, what became of every photo and why, and pictures to look at.

in: photos, data/faces, data/inversions, data/anonymized, data/composed
out: reports (metrics.json, withheld.parquet, outcomes.parquet, contact_sheets/, report.html)
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from falco_core.errors import UnreadablePhoto
from falco_core.judges.identity import Compared, identity_records
from falco_core.judges.metrics import IdentityRecord, Judged, Metrics, Photos, Rate, faces_of, utility_of
from falco_core.judges.roles import Roles
from falco_core.photos.codec import load_photo
from falco_core.project.folder import Project
from falco_core.project.stages import ANONYMIZED, METRICS, REPORT, SHEETS, stage_named
from falco_core.project.stages import COMPOSED as COMPOSED_FOLDER
from falco_core.project.stages import FACES as FACES_FOLDER
from falco_core.project.stages import OUTCOMES as OUTCOMES_TABLE
from falco_core.project.stages import WITHHELD as WITHHELD_TABLE
from falco_core.report import BeforeAfter, Outline, risk, thumbnail, write_contact_sheets, write_report
from falco_core.store.tables import (
    ATTEMPTS,
    CHECKS,
    COMPOSED,
    PHOTO_OUTCOMES,
    PHOTOS,
    WITHHELD,
    read_table,
    write_table,
)
from tasks.batches import Execute, StageReport
from tasks.impostors import gallery, impostors, seen
from tasks.judging import judges_of, roles_of

STAGE = stage_named("validate")

Rows = list[dict[str, Any]]
Released = dict[str, dict[str, Any]]
"""Rows of composed.parquet by photo, without the withheld ones."""


def run(project: Project, execute: Execute) -> StageReport:
    """Write everything under reports/."""
    del execute
    photos = read_table(project.path(FACES_FOLDER, "photos.parquet"), PHOTOS)
    checks = read_table(project.path(COMPOSED_FOLDER, "checks.parquet"), CHECKS)
    composed = read_table(project.path(COMPOSED_FOLDER, "composed.parquet"), COMPOSED)
    roles = roles_of(project)
    withheld = _withheld(project, checks, composed, roles)
    out = {row["photo"] for row in withheld}
    released = {row["photo"]: row for row in composed if row["photo"] not in out}
    metrics = _metrics(project, len(photos), set(released), checks, roles)
    project.path(METRICS).parent.mkdir(parents=True, exist_ok=True)
    project.path(METRICS).write_text(metrics.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_table(project.path(WITHHELD_TABLE), withheld, WITHHELD)
    write_table(project.path(OUTCOMES_TABLE), _outcomes(photos, checks, released, withheld), PHOTO_OUTCOMES)
    pages = write_contact_sheets(
        project.path(SHEETS),
        _pairs(project, photos, checks, released, withheld),
        per_page=project.params.validation.sheet_photos,
    )
    write_report(project.path(REPORT), metrics=metrics, withheld=withheld, sheets=pages[:1])
    return StageReport(STAGE.name, len(photos), len(photos))


def _metrics(project: Project, total: int, released: set[str], checks: Rows, roles: Roles) -> Metrics:
    kept = [check for check in checks if check["photo"] in released]
    attempts = read_table(project.path(ANONYMIZED, "attempts.parquet"), ATTEMPTS)
    first = [attempt for attempt in attempts if attempt["attempt"] == 0]
    return Metrics(
        photos=Photos(total=total, released=len(released), withheld=total - len(released)),
        faces=faces_of(kept),
        judges=Judged(people=roles.people, gate=roles.gate, audit=roles.audit, notices=roles.notices),
        identity=tuple(_identity(project, checks, released, roles)),
        first_attempts_recognised=Rate.of(sum(row["recognised_by"] is not None for row in first), len(first)),
        utility=utility_of([check for check in kept if check["treatment"] == "replaced"]),
    )


def _identity(project: Project, checks: Rows, released: set[str], roles: Roles) -> Iterator[IdentityRecord]:
    all_new = np.array([check["anonymized"] for check in checks], dtype=bool)
    # A face of one colour shows nothing of itself: who knows it knows hair and clothes, which nobody promises to hide.
    all_out = np.array([check["photo"] in released and check["treatment"] != "blanked" for check in checks], dtype=bool)
    for judge in judges_of(project, roles.all):
        first, last, own = (seen(project, when, judge.name) for when in ("first", "last", "original"))
        everyone = gallery(project, judge.name)
        role = roles.role_of(judge.name)
        if role == "gate":
            # Among both kinds of people a judge counts those that it knows, and decides on.
            known = np.array([judge.name in check["judged_by"] for check in checks], dtype=bool)
            new, out = all_new & known, all_out & known
        else:
            new, out = all_new, all_out
        yield from identity_records(judge, role, "composed", Compared(first[new], own[new], everyone))
        yield from identity_records(judge, role, "released", Compared(last[out], own[out], everyone))


def _withheld(project: Project, checks: Rows, composed: Rows, roles: Roles) -> Rows:
    rows: Rows = []
    for folder in (FACES_FOLDER, COMPOSED_FOLDER):
        rows += read_table(project.path(folder, "withheld.parquet"), WITHHELD)
    may_go = {row["photo"] for row in composed}
    rows += [{**row, "stage": STAGE.name} for row in impostors(project, checks, may_go, roles.gate)]
    return sorted(rows, key=lambda row: str(row["photo"]))


def _outcomes(photos: Rows, checks: Rows, released: Released, withheld: Rows) -> Iterator[dict[str, Any]]:
    """What became of every photo."""
    reason_of = {row["photo"]: row for row in withheld}
    faces_in = _by_photo(checks)
    for row in photos:
        name, why = row["photo"], reason_of.get(row["photo"])
        count = Counter(check["treatment"] for check in faces_in[name])
        yield {
            "photo": name,
            "file": released[name]["file"] if name in released else None,
            "sha256": released[name]["sha256"] if name in released else None,
            "reason": why["reason"] if why else None,
            "detail": why["detail"] if why else "",
            "replaced": count["replaced"],
            "concealed": count["concealed"] + count["blanked"],
            "risk": risk(faces_in[name]),
        }


def _pairs(project: Project, photos: Rows, checks: Rows, released: Released, withheld: Rows) -> Iterator[BeforeAfter]:
    """All photos, those first that most need a look."""
    faces_in, limit = _by_photo(checks), project.params.align.max_pixels
    reason_of = {row["photo"]: row["reason"] for row in withheld}
    for row in sorted(photos, key=lambda row: (-risk(faces_in[row["photo"]]), row["photo"])):
        name = row["photo"]
        before = _pixels(project.photos / name, limit) if row["width"] else None
        row_out = released.get(name)
        after = _pixels(project.path(COMPOSED_FOLDER, "photos", row_out["file"]), limit) if row_out else None
        outlines = tuple(
            Outline(np.asarray(check["box"]) / np.tile([row["width"], row["height"]], 2), check["treatment"])
            for check in faces_in[name]
            if project.params.validation.outline
        )
        yield BeforeAfter(name, before, after, reason_of.get(name, ""), _note(faces_in[name]), outlines)


def _note(checks: Rows) -> str:
    """Like `2 replaced, 1 concealed (too_small)`."""
    causes = Counter(str(check["cause"]) for check in checks if check["cause"] is not None)
    replaced = f"{len(checks) - causes.total()} replaced"
    if not causes:
        return replaced
    why = ", ".join(f"{cause} x {count}" if count > 1 else cause for cause, count in sorted(causes.items()))
    return f"{replaced}, {causes.total()} concealed ({why})"


def _by_photo(checks: Rows) -> dict[str, Rows]:
    found: dict[str, Rows] = defaultdict(list)
    for check in checks:
        found[check["photo"]].append(check)
    return found


def _pixels(path: Path, max_pixels: int) -> Any:
    try:
        return thumbnail(load_photo(path, max_pixels=max_pixels).pixels)
    except UnreadablePhoto:
        return None
