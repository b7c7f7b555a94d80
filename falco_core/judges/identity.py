"""True numbers: how often a judge recognises the original in a new face, one to one and one among all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from falco_core.judges.gallery import Gallery
from falco_core.judges.metrics import IdentityRecord, Rate
from falco_core.judges.recognisers import Judge
from falco_core.judges.similarity import similarity

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
    gallery: Gallery
    """All originals of the dataset, those of withheld photos included."""

    def __post_init__(self) -> None:
        if len(self.seen) != len(self.originals):
            raise ValueError(f"rows that do not belong together: {len(self.seen)} and {len(self.originals)}")


Hits = Mapping[str, np.ndarray]
"""By metric, which faces are recognised: bool [N]."""


def identity_hits(judge: Judge, faces: Compared) -> Hits:
    """1:1 and 1:N; raises JudgeError if an original's embedding is unusable."""
    return dict(zip(_metrics(judge), (reidentified(judge, faces), rank1(judge, faces)), strict=True))


def identity_records(judge: Judge, role: Role, scope: Scope, parts: Sequence[Hits]) -> list[IdentityRecord]:
    """The 1:1 and the 1:N rate of one judge over the hits of all parts of a dataset."""
    nobody = np.zeros(0, dtype=bool)
    hits = {metric: np.concatenate([nobody, *(part[metric] for part in parts)]) for metric in _metrics(judge)}
    return [
        IdentityRecord(metric=metric, judge=judge.name, role=role, scope=scope, rate=Rate.of(int(hit.sum()), len(hit)))
        for metric, hit in hits.items()
    ]


def _metrics(judge: Judge) -> tuple[str, str]:
    return f"reid_{judge.protocol}", f"rank1_{judge.protocol}"


def reidentified(judge: Judge, faces: Compared) -> np.ndarray:
    """bool [N]: the similarity to the own original reaches the judge's threshold, or is not a number."""
    if not len(faces.seen):
        return np.zeros(0, dtype=bool)
    hits: np.ndarray = ~(similarity(judge.measure, faces.seen, faces.originals) < judge.threshold)
    return hits


def rank1(judge: Judge, faces: Compared) -> np.ndarray:
    """bool [N]: no original of the dataset is nearer than the own one (ties and non-numbers count as hits).

    Chance alone gives 1/N, so a dataset of one face has rate 1. A person's other pictures are others here: where one
    of them is nearest the face counts as hidden by 1:N; `near_others` finds it.
    """
    if not len(faces.seen):
        return np.zeros(0, dtype=bool)
    own = similarity(judge.measure, faces.seen, faces.originals)
    best = faces.gallery.nearest(faces.seen)
    hits: np.ndarray = ~(own < best - TIE)
    return hits


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
