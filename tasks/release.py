"""release: the gate, then the public folder.

in: data/composed, reports/metrics.json, reports/withheld.parquet, reports/outcomes.parquet
out: release (photos/ tree, manifest.json)
"""

from importlib.metadata import version
from typing import Any

from falco_core.errors import GateError, ProjectError
from falco_core.judges import Metrics, violations
from falco_core.project.folder import Project
from falco_core.project.stages import COMPOSED as COMPOSED_FOLDER
from falco_core.project.stages import METRICS, RESULT_PARAMS, stage_named
from falco_core.project.stages import OUTCOMES as OUTCOMES_TABLE
from falco_core.project.stages import RELEASE as RELEASE_FOLDER
from falco_core.project.stages import WITHHELD as WITHHELD_TABLE
from falco_core.release.writer import Manifest, ReleaseFile, opaque_name, write_release
from falco_core.store.tables import COMPOSED, PHOTO_OUTCOMES, WITHHELD, read_table
from tasks.batches import Execute, StageReport

STAGE = stage_named("release")


def run(project: Project, execute: Execute) -> StageReport:
    """Open or close the gate; raises GateError, and then nothing is released."""
    del execute
    metrics = Metrics.model_validate_json(project.path(METRICS).read_text(encoding="utf-8"))
    if broken := violations(metrics, project.params.gate):
        raise GateError(f"the gate is closed, nothing is released: {'; '.join(broken)}")
    withheld = {row["photo"] for row in read_table(project.path(WITHHELD_TABLE), WITHHELD)}
    composed = [
        row
        for row in read_table(project.path(COMPOSED_FOLDER, "composed.parquet"), COMPOSED)
        if row["photo"] not in withheld
    ]
    _check_judged(project, composed)
    opaque = project.params.release.opaque_names
    files = [
        ReleaseFile(row["file"], opaque_name(row["file"]) if opaque else row["file"], row["sha256"]) for row in composed
    ]
    target = project.path(RELEASE_FOLDER)
    write_release(project.path(COMPOSED_FOLDER, "photos"), files, target, _manifest(project, metrics))
    return StageReport(STAGE.name, len(composed), len(composed))


def _check_judged(project: Project, composed: list[dict[str, Any]]) -> None:
    """Raise ProjectError unless what may go is what `validate` judged and let go: not a photo more, not a byte else."""
    outcomes = read_table(project.path(OUTCOMES_TABLE), PHOTO_OUTCOMES)
    judged = {(row["photo"], row["file"], row["sha256"]) for row in outcomes if row["file"] is not None}
    if {(row["photo"], row["file"], row["sha256"]) for row in composed} != judged:
        raise ProjectError(
            f"{project.path(OUTCOMES_TABLE)} is not of the photos that are composed now: "
            "run `dvc repro --force validate`"
        )


def _manifest(project: Project, metrics: Metrics) -> Manifest:
    return Manifest(
        falco=version("falco"),
        bundle=f"{project.spec.name} {project.spec.version}",
        params=project.params.digest(RESULT_PARAMS),
        margin=project.params.anonymize.margin,
        photos=metrics.photos,
        faces=metrics.faces,
        judges=metrics.judges,
        identity=metrics.identity,
        first_attempts_recognised=metrics.first_attempts_recognised,
        attribute_similarity=metrics.utility.attribute_similarity,
    )
