"""True numbers: how often a judge recognises the original in a new face, one to one and one among all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from falco_core.errors import JudgeError
from falco_core.judges.metrics import IdentityRecord, Rate
from falco_core.judges.recognisers import Judge
from falco_core.judges.similarity import nearest, similarity

Role = Literal["objective", "gate", "audit"]
Scope = Literal["composed", "released"]

TIE = 1e-6
"""Similarity by which a nearest original must be nearer than the face's own one to hide it."""


@dataclass(frozen=True)
class Compared:
    """Faces as one judge sees them: row i is a drawn face and its original."""

    seen: np.ndarray
    """[N, E], of the faces in the finished files."""
    originals: np.ndarray
    """[N, E], row by row the same people's."""
    gallery: np.ndarray
    """[G, E]: all originals of the dataset, those of withheld photos included."""

    def __post_init__(self) -> None:
        if len(self.seen) != len(self.originals):
            raise ValueError(f"rows that do not belong together: {len(self.seen)} and {len(self.originals)}")


def identity_records(judge: Judge, role: Role, scope: Scope, faces: Compared) -> list[IdentityRecord]:
    """The 1:1 and the 1:N rate of one judge; raises JudgeError if an original's embedding is unusable."""
    hits = {f"reid_{judge.protocol}": reidentified(judge, faces), f"rank1_{judge.protocol}": rank1(judge, faces)}
    return [
        IdentityRecord(metric=metric, judge=judge.name, role=role, scope=scope, rate=Rate.of(int(hit.sum()), len(hit)))
        for metric, hit in hits.items()
    ]


def reidentified(judge: Judge, faces: Compared) -> np.ndarray:
    """bool [N]: the similarity to the own original reaches the judge's threshold, or is not a number."""
    if not len(faces.seen):
        return np.zeros(0, dtype=bool)
    hits: np.ndarray = ~(similarity(judge.measure, faces.seen, faces.originals) < judge.threshold)
    return hits


def rank1(judge: Judge, faces: Compared) -> np.ndarray:
    """bool [N]: no original of the dataset is nearer than the own one (ties and non-numbers count as hits).

    Chance alone gives 1/N, so a dataset of one face has rate 1. A person's other pictures are others here: where one
    of them is nearest the face counts as hidden by 1:N; `nearest_originals` finds it.
    """
    if not len(faces.seen):
        return np.zeros(0, dtype=bool)
    own = similarity(judge.measure, faces.seen, faces.originals)
    _, best = _nearest(judge, faces.seen, faces.gallery)
    hits: np.ndarray = ~(own < best - TIE)
    return hits


def nearest_originals(judge: Judge, embeddings: np.ndarray, all_originals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of all originals [N, E] those most like the embeddings [F, E]: their rows [F] and the similarities [F].

    From `judge.near` on it is a likeness that strangers do not reach, whosever original it is. (-1, NaN) where an
    embedding is not finite: write tests so that this counts as near. Raises JudgeError for unusable originals.
    """
    return _nearest(judge, embeddings, all_originals)


def headline(records: Sequence[IdentityRecord]) -> str:
    """What a report says first of re-identification, in a sentence: the auditors' count, or that there is none."""
    audits = [r for r in records if r.role == "audit" and r.scope == "released" and r.metric.startswith("reid_")]
    if audits:
        return "; ".join(f"{record.metric}: {_percent(record.rate)} of released faces" for record in audits)
    gates = [r for r in records if r.role == "gate" and r.scope == "composed" and r.metric.startswith("reid_")]
    counted = "; ".join(f"{record.metric}: {_percent(record.rate)} before withholding" for record in gates)
    return "no auditor: " + (counted or "and no judge has counted")


def _percent(rate: Rate) -> str:
    if rate.value is None:
        return "unknown (no faces)"
    return f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%}, n = {rate.n})"


def _nearest(judge: Judge, embeddings: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        return nearest(judge.measure, embeddings, gallery)
    except ValueError as error:
        raise JudgeError(f"judge {judge.name}: {error}") from None
