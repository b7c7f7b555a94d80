"""pair: the nearest fakes of each face in the chosen feature space, one for each attempt.

in: data/inversions, data/fakes    out: data/pairs (Pairing, by face)
"""

from collections.abc import Iterator

import numpy as np

from falco_core.anonymize.neighbours import FakePool
from falco_core.project.folder import Project
from falco_core.project.stages import FAKES, INVERSIONS, PAIRS, stage_named
from falco_core.project.work import fresh_folder
from falco_core.store.artifact import Artifact, write_artifact_file
from falco_core.store.bucket import Kept
from falco_core.store.rows import Fake, Inversion, Pairing
from tasks.batches import Execute, StageReport

STAGE = stage_named("pair")


def run(project: Project, execute: Execute) -> StageReport:
    """Search all faces in one exact index: fast enough that nothing is kept."""
    del execute
    space = project.pairing_space
    fakes = project.artifact(FAKES, Fake).all(heavy=(space,))
    pool = FakePool(np.stack([fake.row.arrays[space] for fake in fakes]), project.params.pair.metric)
    inversions, total = project.artifact(INVERSIONS, Inversion), 0
    with fresh_folder(project.path(PAIRS)) as folder:
        for bucket in inversions.buckets:
            pairings = list(_paired(project, inversions, bucket, pool))
            write_artifact_file(folder, bucket, pairings, Pairing)
            total += len(pairings)
    return StageReport(STAGE.name, total, total)


def _paired(project: Project, inversions: Artifact[Inversion], bucket: str, pool: FakePool) -> Iterator[Kept[Pairing]]:
    space = project.pairing_space
    faces = inversions.read(bucket, heavy=(space,))
    if not faces:
        return
    features = np.stack([face.row.arrays[space] for face in faces])
    for face, rows, gaps in zip(faces, *pool.nearest(features, project.params.anonymize.attempts), strict=True):
        yield Kept(face.id, "", Pairing(tuple(rows.tolist()), tuple(gaps.tolist())))
