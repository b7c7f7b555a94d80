"""Who judges the faces of a project, and what was seen of its originals: reads data/faces and data/inversions."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from falco_core.judges.kind import kind_among, kinds_of_faces
from falco_core.judges.recognisers import Judge, judge_named
from falco_core.judges.roles import KIND_JUDGE, JudgedKind, Roles, deciding, roles_for
from falco_core.judges.searched import Searches
from falco_core.judges.seen import reference
from falco_core.project.folder import Project
from falco_core.project.stages import FACES, INVERSIONS, PHOTO_FILES, Stage
from falco_core.store.artifact import read_table
from falco_core.store.bucket import Kept
from falco_core.store.rows import AlignedPhoto, Inversion, PhotoFile

SEARCHES = ".falco/searches"
"""What searches found (`judges.searched`): private, and costs time only."""


def judges_of(project: Project, names: Iterable[str]) -> tuple[Judge, ...]:
    """The judges called `names`."""
    bundle = project.bundle()
    return tuple(judge_named(name, bundle) for name in names)


def roles_of(project: Project) -> Roles:
    """The roles for the people of this project's photos: those of the whole faces, of all if none is whole."""
    faces, inversions = project.artifact(FACES, AlignedPhoto), project.artifact(INVERSIONS, Inversion)
    whole: Counter[JudgedKind] = Counter()
    every: Counter[JudgedKind] = Counter()
    for bucket in faces.buckets:
        kinds = kinds_in(inversions.read(bucket, heavy=(reference(KIND_JUDGE),)))
        every.update(kinds.values())
        for photo in faces.read(bucket):
            whole.update(kinds[face.face] for face in photo.row.faces if face.cause is None)
    return roles_for(project.spec, project.params.judges, kind_among(whole or every))


def kinds_in(inversions: Iterable[Kept[Inversion]]) -> Mapping[str, JudgedKind]:
    """The kind of person that each face (id) shows."""
    rows = list(inversions)
    if not rows:
        return {}
    seen = np.stack([item.row.arrays[reference(KIND_JUDGE)] for item in rows])
    return {item.id: kind for item, kind in zip(rows, kinds_of_faces(seen), strict=True)}


def gates_in(inversions: Iterable[Kept[Inversion]], roles: Roles) -> Mapping[str, tuple[str, ...]]:
    """The judges of the gate that decide on each face (id)."""
    return {face: deciding(roles, kind) for face, kind in kinds_in(inversions).items()}


def searches_of(project: Project, stage: Stage) -> Searches:
    """What a stage's last searches among the originals found."""
    return Searches(project.path(SEARCHES, stage.name))


def path_of_photos(project: Project) -> Mapping[str, str]:
    """A path inside the photo folder for each photo (sha256)."""
    return {row.sha256: row.photo for row in read_table(project.path(PHOTO_FILES), PhotoFile) if row.sha256}
