"""Is a new face somebody else of the dataset? What it shows in its photo is asked for, and what was drawn there.

In its photo a face has another one's hair, light and outline, and a recogniser may not know it any more: an original
that was drawn into another photo is found by its crop.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from falco_core.faces.align import landmarks_in_crop
from falco_core.judges.identity import nearest_originals
from falco_core.judges.recognisers import Judge
from falco_core.photos.codec import read_png
from falco_core.project.folder import Project
from falco_core.project.stages import ANONYMIZED, COMPOSED
from falco_core.project.stages import FACES as FACES_FOLDER
from falco_core.reasons import Reason
from falco_core.store.shards import Shards
from falco_core.store.tables import FACES, read_table
from tasks.judging import judges_of, originals, seen_array

Rows = list[dict[str, Any]]


def impostors(project: Project, checks: Rows, may_go: set[str], gate: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Why photos of `may_go` are withheld, without their stage: a new face is nearer to an original of the dataset than
    strangers ever are. checks: all rows of checks.parquet; gate: the judges that decide.
    """
    new = [n for n, check in enumerate(checks) if check["treatment"] == "replaced" and check["photo"] in may_go]
    found: set[str] = set()
    for judge in judges_of(project, gate):
        chosen = [number for number in new if judge.name in checks[number]["judged_by"]]
        if not chosen:
            continue
        shown = seen(project, "last", judge.name)[chosen]
        drawn = _drawn(project, judge, [checks[number]["face"] for number in chosen])
        for embeddings, what in ((shown, "face"), (drawn, "what was drawn for face")):
            _, similarities = nearest_originals(judge, embeddings, gallery(project, judge.name))
            for number, value in zip(chosen, similarities, strict=True):
                face, photo = checks[number]["face"], checks[number]["photo"]
                # Written so that what is no number withholds the photo.
                if not value < judge.near and photo not in found:
                    found.add(photo)
                    detail = f"{what} {face}: {judge.name} says {value:.2f}, the limit is {judge.near:.2f}"
                    yield {"photo": photo, "reason": Reason.NEAR_ANOTHER_ORIGINAL, "detail": detail}


def gallery(project: Project, judge: str) -> np.ndarray:
    """All originals of the dataset [G, E]: those found at first, and those only the second look saw."""
    known = [array for array in (originals(project, judge), seen(project, "original", judge)) if len(array)]
    return np.concatenate(known) if known else np.zeros((0, 1), dtype=np.float32)


def seen(project: Project, when: str, judge: str) -> np.ndarray:
    """What a judge saw [F, E], row by row of the checks; `when` as of `tasks.judging.seen_array`."""
    shards = Shards(project.path(COMPOSED, "embeddings"))
    chunks = list(shards.chunks(seen_array(when, judge)))
    return np.concatenate(chunks) if chunks else np.zeros((0, 1), dtype=np.float32)


def _drawn(project: Project, judge: Judge, faces: list[str]) -> np.ndarray:
    """What a judge sees of the drawn crops themselves [F, E]."""
    rows = {row["face"]: row for row in read_table(project.path(FACES_FOLDER, "faces.parquet"), FACES)}
    return np.concatenate([_embedded(project, judge, rows[face]) for face in faces])


def _embedded(project: Project, judge: Judge, row: dict[str, Any]) -> np.ndarray:
    crop = read_png(project.path(ANONYMIZED, "crops", f"{row['face']}.png"))
    quad, landmarks = np.asarray(row["quad"]).reshape(4, 2), np.asarray(row["landmarks"]).reshape(5, 2)
    return judge.embed(crop, [landmarks_in_crop(landmarks, quad, len(crop))])
