"""The finished faces of a dataset, as judges saw them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from falco_core.judges.identity import nearest_originals
from falco_core.judges.recognisers import Judge
from falco_core.judges.seen import Seen, When, reference, stacked
from falco_core.reasons import Treatment
from falco_core.store.artifact import Artifact
from falco_core.store.rows import ComposedPhoto, Inversion


@dataclass(frozen=True)
class FinishedFace:
    """A face of a composed photo (sha256): what it got, whether it had a new face first, and who decided on it."""

    photo: str
    face: str
    treatment: Treatment
    anonymized: bool
    judged_by: tuple[str, ...]


@dataclass(frozen=True)
class FinishedFaces:
    """All faces of the composed photos, in one order, and what judges saw of them."""

    inversions: Artifact[Inversion]
    composed: Artifact[ComposedPhoto]

    @cached_property
    def rows(self) -> list[FinishedFace]:
        """A row per face."""
        return [
            FinishedFace(photo.id, check.face, check.treatment, check.anonymized, check.judged_by)
            for photo in self.composed.all()
            for check in photo.row.checks
        ]

    def seen(self, when: When, judge: str) -> np.ndarray:
        """What a judge saw [F, E], row by row of `rows`."""
        per_bucket = [stacked(list(self._seen_in(bucket)), when, judge) for bucket in self.composed.buckets]
        found = [rows for rows in per_bucket if len(rows)]
        return np.concatenate(found) if found else np.zeros((0, 1), dtype=np.float32)

    def gallery(self, judge: str) -> np.ndarray:
        """All originals of the dataset [G, E]: those found at first, and those that only the second look saw."""
        name = reference(judge)
        first = [face.row.arrays[name] for face in self.inversions.all(heavy=(name,))]
        known = [rows for rows in (np.array(first, dtype=np.float32), self.seen("original", judge)) if len(rows)]
        return np.concatenate(known) if known else np.zeros((0, 1), dtype=np.float32)

    def _seen_in(self, bucket: str) -> Iterator[Seen]:
        for photo in self.composed.read(bucket, heavy=("seen",)):
            yield Seen.from_bytes(photo.row.seen)


def near_others(faces: FinishedFaces, judges: Sequence[Judge]) -> dict[str, str]:
    """Photos (sha256) in which a new face is nearer to an original of the dataset than strangers ever are, and why.

    What it shows in its photo is asked for, and what was drawn there: an original that was drawn into another photo is
    found by its crop. judges: those of the gate.
    """
    found: dict[str, str] = {}
    rows = faces.rows
    for judge in judges:
        chosen = [
            number
            for number, row in enumerate(rows)
            if row.treatment == Treatment.REPLACED and judge.name in row.judged_by
        ]
        if not chosen:
            continue
        gallery = faces.gallery(judge.name)
        whens: tuple[tuple[When, str], ...] = (("last", "face"), ("drawn", "what was drawn for face"))
        for when, what in whens:
            _, similarities = nearest_originals(judge, faces.seen(when, judge.name)[chosen], gallery)
            for number, value in zip(chosen, similarities, strict=True):
                # Written so that what is no number withholds the photo.
                if not value < judge.near:
                    detail = f"{what} {rows[number].face}: {judge.name} says {value:.2f}, the limit is {judge.near:.2f}"
                    found.setdefault(rows[number].photo, detail)
    return found
