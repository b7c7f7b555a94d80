"""Whom photos show, real or rendered people: only a judge that knows them can say who is who.

To dlib's recogniser, trained on real people, all rendered faces look like one family: they lie around one point. How
far a face is from that point tells the kind. docs/judges.md has the figures.
"""

import base64
from collections import Counter
from collections.abc import Mapping

import numpy as np

from falco_core.judges.roles import JudgedKind

RENDERED_UP_TO = 0.48
REAL_FROM = 0.54
"""Distances to the centre. Measured: rendered faces up to 0.53 (99 % up to 0.49), real ones from 0.545 (from 0.51 with
only the upper half of the face)."""
STRAY = 0.02
"""Share of faces of the other kind (or what the detector took for faces) that does not change a dataset's kind."""
CLEAR = 0.8
"""Share of faces that must be of the kind."""

CENTRE = np.frombuffer(
    base64.b64decode(
        "ba4JK1orq6k4ri0YzKvOrqouFq6rMlCr57LGoW2lfDGurwWvta+krBog4yuQKLor768wtDWra66BLb+tCKkqIt+wCCLgKCQtmqnR"
        "ragy+xwxsl+gGCHUMqYwD6ceLLGu1Sw6sqIgdzC+LrEsJx9KsCgj2TAXsbsqYiy8rM6pIaxSMsguK7CssQwxTLCKrZ0rBLApsJW0"
        "WKKgNUctJLL5H1qs8aSeoVgumK01ofeq2yg9MuCrbiXaMNQlAxEqGRQtD69Rp0GqNqC8I3KsqSlBMAqy6jLkp7eqFSQcKiepjqg9"
        "MWWyijGfMhMsVS7rKs8ugqiLK6yx561mJBCqTCGhKQ=="
    ),
    dtype="<f2",
).astype(np.float32)
"""[128]: mean embedding of 200 rendered people, made by falco_rendered/kind_centre.py."""


def kind_of_people(embeddings: np.ndarray) -> JudgedKind:
    """The kind of a dataset from dlib's embeddings [F, 128] of its original faces (DlibJudge.embed)."""
    return kind_among(Counter(kinds_of_faces(embeddings)))


def kind_among(faces: Mapping[JudgedKind, int]) -> JudgedKind:
    """The kind of a dataset with so many faces of each kind.

    `unsure` where both kinds are there, where faces are of neither kind clearly, and where there are none.
    """
    total = sum(faces.values())
    if not total:
        return "unsure"
    real, rendered = faces.get("real", 0) / total, faces.get("rendered", 0) / total
    if real >= CLEAR and rendered <= STRAY:
        return "real"
    return "rendered" if rendered >= CLEAR and real <= STRAY else "unsure"


def kinds_of_faces(embeddings: np.ndarray) -> list[JudgedKind]:
    """The kind of each face, from dlib's embeddings [F, 128]; `unsure` for one that is not finite."""
    distances = np.linalg.norm(np.asarray(embeddings, dtype=np.float32).reshape(-1, len(CENTRE)) - CENTRE, axis=1)
    return [_kind(float(distance)) for distance in distances]


def _kind(distance: float) -> JudgedKind:
    if distance <= RENDERED_UP_TO:
        return "rendered"
    return "real" if distance >= REAL_FROM else "unsure"
