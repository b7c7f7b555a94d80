"""release: the public folder, every file of it audited; the gate is asked once more, whatever its stage said.

in: data/composed, reports/metrics.json, reports/outcomes.parquet, reports/gate.json
out: release (photos/ tree, manifest.json), data/released.parquet (ReleasedPhoto: photo -> name)
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from falco_core.errors import GateError, ProjectError
from falco_core.judges import Metrics, violations
from falco_core.judges.metrics import Photos
from falco_core.project.folder import Project
from falco_core.project.stages import COMPOSED, OUTCOMES, RELEASE, RELEASED, RESULT_PARAMS, stage_named
from falco_core.release.manifest import Manifest
from falco_core.release.names import opaque_name, project_secret
from falco_core.release.writer import ReleaseFile, Written, write_release
from falco_core.store.artifact import read_table, write_table
from falco_core.store.rows import ComposedPhoto, PhotoOutcome, ReleasedPhoto
from tasks.batches import Execute, StageReport
from tasks.gate import read_metrics

STAGE = stage_named("release")
SECRET = ".falco/names_secret"
"""What opaque names are made with; private, like everything in `.falco`."""


def run(project: Project, execute: Execute) -> StageReport:
    """Open or close the gate; raises GateError, and then nothing is released."""
    del execute
    metrics = read_metrics(project)
    if broken := violations(metrics, project.params.gate):
        raise GateError(f"the gate is closed, nothing is released: {'; '.join(broken)}")
    rows = [row for row in read_table(project.path(OUTCOMES), PhotoOutcome) if row.file is not None]
    if len(rows) != metrics.photos.released:
        raise _not_of_these(project)
    written = write_release(
        _files(project, rows), project.path(RELEASE), lambda files: _manifest(project, metrics, files)
    )
    released = [
        ReleasedPhoto(each.file.photo, None if each.findings else each.file.name, each.file.sha256, _said(each))
        for each in sorted(written, key=lambda each: each.file.photo)
    ]
    write_table(project.path(RELEASED), released, ReleasedPhoto)
    # Names of photos belong into no log.
    held_back = sum(row.name is None for row in released)
    notes = (f"the audit held {held_back} back: {RELEASED} says why",) if held_back else ()
    return StageReport(STAGE.name, len(rows), len(rows), notes)


def _said(file: Written) -> str:
    """What the audit found in a file, as one sentence."""
    return ", ".join(file.findings)


def _files(project: Project, rows: list[PhotoOutcome]) -> Iterator[ReleaseFile]:
    """What `validate` judged and let go: not a photo more, not a byte else."""
    composed, opaque = project.artifact(COMPOSED, ComposedPhoto), project.params.release.names == "opaque"
    secret = project_secret(project.path(SECRET)) if opaque else b""
    of_photo: dict[str, list[PhotoOutcome]] = defaultdict(list)
    for row in rows:
        of_photo[row.sha256].append(row)
    for bucket in composed.buckets:
        for photo in composed.each(bucket, heavy=("file",)):
            for row in of_photo.pop(photo.id, []) if photo.row.reason is None else ():
                if row.file is None or row.file_sha256 != photo.row.file_sha256:
                    raise _not_of_these(project)
                name = opaque_name(row.photo, row.file, secret) if opaque else row.file
                yield ReleaseFile(name, row.file_sha256, photo.row.file, row.photo, row.sha256)
    if of_photo:
        raise _not_of_these(project)


def _not_of_these(project: Project) -> ProjectError:
    return ProjectError(
        f"{project.path(OUTCOMES)} is not of the photos that are composed now: run `dvc repro --force validate`"
    )


def _manifest(project: Project, metrics: Metrics, written: Sequence[Written]) -> Manifest:
    held_back = sum(bool(each.findings) for each in written)
    photos = metrics.photos
    return Manifest(
        falco=version("falco"),
        bundle=f"{project.spec.name} {project.spec.version}",
        params=project.params.digest(RESULT_PARAMS),
        margin=project.params.anonymize.margin,
        photos=Photos(total=photos.total, released=photos.released - held_back, withheld=photos.withheld + held_back),
        faces=metrics.faces,
        judges=metrics.judges,
        identity=metrics.identity,
        first_attempts_recognised=metrics.first_attempts_recognised,
        attribute_similarity=metrics.utility.attribute_similarity,
    )
