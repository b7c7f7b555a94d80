"""Who judges the faces of a project: the judges whose embeddings `invert` keeps, and the roles that follow."""

import numpy as np

from falco_core.judges.kind import kind_of_people, kinds_of_faces
from falco_core.judges.recognisers import Judge, judge_named
from falco_core.judges.roles import OBJECTIVE, Roles, deciding, declared_judges, roles_for
from falco_core.project.folder import Project
from falco_core.project.stages import FACES as FACES_FOLDER
from falco_core.project.stages import INVERSIONS
from falco_core.store.shards import Shards
from falco_core.store.tables import FACES, read_table

KIND_JUDGE = "dlib"
"""Its embeddings tell real people from rendered ones, whoever judges."""


def reference(judge: str) -> str:
    """Name of the array of data/inversions that holds a judge's embeddings of the originals."""
    return f"judge_{judge}"


def seen_array(when: str, judge: str) -> str:
    """Name of the array of data/composed/embeddings with what a judge saw: of the `original`, `first`, `last`."""
    return f"{when}_{judge}"


def judge_names(project: Project) -> tuple[str, ...]:
    """Every judge that may act in this project, whoever is in its photos."""
    declared, params = declared_judges(project.spec), project.params.judges
    named = (*declared.gate, *declared.audit, *(params.gate or ()), *(params.audit or ()))
    return tuple(dict.fromkeys((OBJECTIVE, KIND_JUDGE, *named)))


def judges_of(project: Project, names: tuple[str, ...]) -> tuple[Judge, ...]:
    """The judges called `names`."""
    bundle = project.bundle()
    return tuple(judge_named(name, bundle) for name in names)


def roles_of(project: Project) -> Roles:
    """The roles for the people of this project's photos; reads data/faces and data/inversions."""
    return roles_for(project.spec, project.params.judges, kind_of_people(_whole_faces(project)))


def gates_of(project: Project, roles: Roles) -> list[tuple[str, ...]]:
    """Per row of data/inversions, the judges of the gate that decide on the face."""
    return [deciding(roles, kind) for kind in kinds_of_faces(originals(project, KIND_JUDGE))]


def originals(project: Project, judge: str) -> np.ndarray:
    """A judge's embeddings [F, E] of all originals, row by row of data/inversions."""
    chunks = list(Shards(project.path(INVERSIONS, "arrays")).chunks(reference(judge)))
    return np.concatenate(chunks) if chunks else np.zeros((0, 1), dtype=np.float32)


def _whole_faces(project: Project) -> np.ndarray:
    """The kind judge's embeddings of the faces that are large and whole; of all, if none is."""
    faces = read_table(project.path(FACES_FOLDER, "faces.parquet"), FACES)
    # Identical photos share their faces: rows of data/inversions are the distinct ones, in this order.
    whole = np.array([row["cause"] is None for row in {row["face"]: row for row in faces}.values()], dtype=bool)
    found = originals(project, KIND_JUDGE)
    return found[whole] if whole.any() else found
