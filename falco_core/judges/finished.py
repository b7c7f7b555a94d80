"""The finished faces of a dataset, as judges saw them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from falco_core.judges.identity import nearest_originals
from falco_core.judges.recognisers import Judge
from falco_core.judges.seen import Seen, When, joined, reference
from falco_core.reasons import Treatment
from falco_core.store.artifact import Artifact
from falco_core.store.rows import Check, ComposedPhoto, Inversion


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

    def seen_by(self, judge: str) -> Seen:
        """What a judge saw, row by row of `rows`: one pass over all photos."""
        return joined((Seen.from_bytes(photo.row.seen) for photo in self.composed.all(heavy=("seen",))), judge)

    def gallery(self, judge: str, seen: Seen) -> np.ndarray:
        """All originals of the dataset [G, E]: those found at first, and those that only the second look saw."""
        known = [rows for rows in (gallery_of(self.inversions, judge), seen.of("original", judge)) if len(rows)]
        return np.concatenate(known) if known else np.zeros((0, 1), dtype=np.float32)


def gallery_of(inversions: Artifact[Inversion], judge: str) -> np.ndarray:
    """The originals that were found at first, as a judge sees them [G, E]."""
    name = reference(judge)
    return np.array([face.row.arrays[name] for face in inversions.all(heavy=(name,))], dtype=np.float32)


def near_originals(
    judge: Judge, faces: Sequence[FinishedFace | Check], seen: Seen, gallery: np.ndarray
) -> Iterator[tuple[int, str]]:
    """New faces (numbers) that are nearer to an original of `gallery` [G, E] than strangers ever are, and why.

    What a face shows in its photo is asked for, and what was drawn there: an original that was drawn into another photo
    is found by its crop. seen: of `faces`, row by row.
    """
    chosen = [
        number
        for number, face in enumerate(faces)
        if face.treatment == Treatment.REPLACED and judge.name in face.judged_by
    ]
    whens: tuple[tuple[When, str], ...] = (("last", "face"), ("drawn", "what was drawn for face"))
    for when, what in whens if chosen else ():
        _, similarities = nearest_originals(judge, seen.of(when, judge.name)[chosen], gallery)
        for number, value in zip(chosen, similarities, strict=True):
            # Written so that what is no number is near.
            if not value < judge.near:
                yield (
                    number,
                    f"{what} {faces[number].face}: {judge.name} says {value:.2f}, the limit is {judge.near:.2f}",
                )


def near_before_composing(
    judges: Sequence[Judge], new: Mapping[str, Seen], gallery_of: Callable[[str], np.ndarray]
) -> frozenset[str]:
    """The new faces (ids) that are nearer to an original than strangers ever are, by their crops alone.

    judges: of the gate; new: what the face's own gate saw of it (last, drawn); gallery_of: by a judge's name, all
    originals [G, E].
    """
    found: set[str] = set()
    for judge in judges:
        whens: tuple[When, ...] = ("last", "drawn")
        for when in whens:
            faces = [face for face, seen in new.items() if len(seen.of(when, judge.name))]
            if faces:
                embeddings = np.concatenate([new[face].of(when, judge.name) for face in faces])
                _, similarities = nearest_originals(judge, embeddings, gallery_of(judge.name))
                # Written so that what is no number is near.
                found.update(face for face, value in zip(faces, similarities, strict=True) if not value < judge.near)
    return frozenset(found)


def near_others(faces: FinishedFaces, judges: Sequence[Judge]) -> dict[str, str]:
    """Photos (sha256) with a new face that is near to an original of the dataset, and why; judges: of the gate."""
    found: dict[str, str] = {}
    for judge in judges:
        seen = faces.seen_by(judge.name)
        gallery = faces.gallery(judge.name, seen)
        for number, detail in near_originals(judge, faces.rows, seen, gallery):
            found.setdefault(faces.rows[number].photo, detail)
    return found
