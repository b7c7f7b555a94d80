"""The finished faces of a dataset, as judges saw them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from falco_core.judges.gallery import Gallery
from falco_core.judges.recognisers import Judge
from falco_core.judges.searched import NOWHERE, Searched, Searches
from falco_core.judges.seen import Seen, When, joined, reference
from falco_core.reasons import Treatment
from falco_core.store.artifact import Artifact
from falco_core.store.rows import Check, ComposedPhoto, Inversion


@dataclass(frozen=True, slots=True)
class FinishedFace:
    """A face of a composed photo (sha256): what it got, whether it had a new face first, and who decided on it."""

    photo: str
    face: str
    treatment: Treatment
    anonymized: bool
    judged_by: tuple[str, ...]


@dataclass(frozen=True)
class FinishedPart:
    """The faces of some photos, in one order, and what judges saw of them, photo by photo."""

    rows: list[FinishedFace]
    seen: list[Seen]

    def seen_by(self, judge: str) -> Seen:
        """What a judge saw, row by row of `rows`."""
        return joined(self.seen, judge)


@dataclass(frozen=True)
class FinishedFaces:
    """All faces of the composed photos, a bucket in memory at a time.

    searches: what earlier searches among the originals found.
    """

    inversions: Artifact[Inversion]
    composed: Artifact[ComposedPhoto]
    searches: Searches = NOWHERE

    def parts(self) -> Iterator[FinishedPart]:
        """The faces of a bucket's photos each."""
        for bucket in self.composed.buckets:
            photos = self.composed.read(bucket, heavy=("seen",))
            rows = [
                FinishedFace(photo.id, check.face, check.treatment, check.anonymized, check.judged_by)
                for photo in photos
                for check in photo.row.checks
            ]
            if rows:
                yield FinishedPart(rows, [Seen.from_bytes(photo.row.seen) for photo in photos])

    @contextmanager
    def gallery(self, judge: Judge, purpose: str) -> Iterator[Gallery]:
        """All originals of the dataset: those found at first, and those that only the second look saw.

        purpose: under which name it is kept what the block finds.
        """
        name = f"{purpose}-{judge.name}"
        gallery = gallery_of(self.inversions, judge, self.searches.before(name))
        for part in self.parts():
            gallery.add(part.seen_by(judge.name).of("original", judge.name))
        yield gallery
        self.searches.keep(name, gallery.searched())


def gallery_of(inversions: Artifact[Inversion], judge: Judge, before: Searched) -> Gallery:
    """The originals that were found at first, as a judge sees them; before: what earlier searches found."""
    gallery, name = Gallery(judge, before=before), reference(judge.name)
    for bucket in inversions.buckets:
        faces = inversions.read(bucket, heavy=(name,))
        if faces:
            gallery.add(np.stack([face.row.arrays[name] for face in faces]))
    return gallery


def near_originals(gallery: Gallery, faces: Sequence[FinishedFace | Check], seen: Seen) -> Iterator[tuple[int, str]]:
    """New faces (numbers) that are nearer to an original of `gallery` than strangers ever are, and why.

    What a face shows in its photo is asked for, and what was drawn there: an original that was drawn into another photo
    is found by its crop. seen: of `faces`, row by row.
    """
    judge = gallery.judge
    chosen = [
        number
        for number, face in enumerate(faces)
        if face.treatment == Treatment.REPLACED and judge.name in face.judged_by
    ]
    whens: tuple[tuple[When, str], ...] = (("last", "face"), ("drawn", "what was drawn for face"))
    for when, what in whens if chosen else ():
        similarities = gallery.nearest(seen.of(when, judge.name)[chosen])
        for number, value in zip(chosen, similarities, strict=True):
            # Written so that what is no number is near.
            if not value < judge.near:
                yield (
                    number,
                    f"{what} {faces[number].face}: {judge.name} says {value:.2f}, the limit is {judge.near:.2f}",
                )


def near_before_composing(galleries: Sequence[Gallery], parts: Iterable[Mapping[str, Seen]]) -> frozenset[str]:
    """The new faces (ids) that are nearer to an original than strangers ever are, by their crops alone.

    galleries: of the gate's judges; parts: what a face's own gate saw of it (last, drawn), for some faces each.
    """
    return frozenset(face for part in parts for gallery in galleries for face in _near_crops(gallery, part))


def _near_crops(gallery: Gallery, new: Mapping[str, Seen]) -> Iterator[str]:
    whens: tuple[When, ...] = ("last", "drawn")
    for when in whens:
        seen = {face: each.of(when, gallery.judge.name) for face, each in new.items()}
        faces = [face for face, embedding in seen.items() if len(embedding)]
        if faces:
            similarities = gallery.nearest(np.concatenate([seen[face] for face in faces]))
            # Written so that what is no number is near.
            yield from (face for face, value in zip(faces, similarities, strict=True) if not value < gallery.judge.near)


def near_others(faces: FinishedFaces, judges: Sequence[Judge]) -> dict[str, str]:
    """Photos (sha256) with a new face that is near to an original of the dataset, and why; judges: of the gate."""
    found: dict[str, str] = {}
    for judge in judges:
        with faces.gallery(judge, "near") as gallery:
            for part in faces.parts():
                for number, detail in near_originals(gallery, part.rows, part.seen_by(judge.name)):
                    found.setdefault(part.rows[number].photo, detail)
    return found
