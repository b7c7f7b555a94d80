"""The second look: a composed photo is judged as the file it will be, and more suspiciously than at first.

It asks of every face drawn whether it still shows the original (judges, and the likeness of pixels), and of everything
that looks like a face, in the original and in the finished file, whether it was drawn over and has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from falco_core.bundles.bundle import Bundle
from falco_core.faces.align import crop_quad, extract_crop, landmarks_in_crop
from falco_core.faces.centerface import overlaps
from falco_core.faces.find import FoundFace
from falco_core.faces.place import Drawing, Place, sound_landmarks
from falco_core.judges.likeness import LIKENESS_LIMIT, pixel_likeness
from falco_core.judges.one_face import disguised, likeness, upright
from falco_core.judges.recognisers import Judge
from falco_core.judges.roles import OBJECTIVE
from falco_core.judges.self_check import check_judge
from falco_core.judges.similarity import similarity
from falco_core.photos.tensors import to_tensor
from falco_core.reasons import Cause

INNER = 0.6
"""Share of a suspect's box, in both directions, that must have been drawn over: brows to mouth, cheek to cheek."""
COVERED, COVERED_OF_KNOWN = 0.9, 0.5
"""Share of the pixels of that inner part that must have been drawn over: of a face that nobody drew for, and of one
that was drawn for, whose hair and glasses' rims the mask may leave in front.
"""
MOSAIC_LIMIT = 0.65
"""Likeness from which a mosaic shows the original's strokes. Of 29 faces' mosaics none has more than 0.46, of three
heads blurred to 20 pixels none less than 0.81.
"""
ONE_COLOUR = 3
"""Grey levels between the 5th and the 95th percentile of what counts as one colour: JPEG at quality 95 adds 1 or 2."""
KNOWN = 0.5
"""Overlap (intersection over union) from which a suspect is a face that was drawn for."""
OURS = 3
"""Landmarks that must have been drawn over, of five, where what looks like a face may be one of the new ones."""
CLOSE = 256
"""Pixels: side of the crop in which a face is turned and made grey before it is looked at again."""
PATCH = 128
"""Pixels: side of the crop in which a suspect is compared with what was there before."""


class Finds(Protocol):
    """Anything that finds faces."""

    def find(self, pixels: np.ndarray) -> list[FoundFace]:
        """Faces of a photo uint8 [H, W, 3]."""


@dataclass(frozen=True)
class FaceCheck:
    """What the second look saw of one drawn face.

    detected: a face is found where it was drawn; likeness: of its pixels to the original's, 1 if the crop that was
    drawn is the original itself; farl_cosine: of FaRL's embeddings; embeddings: [E] per judge, in the order of
    `SecondLook.judges`; similarities: to the original's.
    """

    detected: bool
    likeness: float
    farl_cosine: float
    embeddings: tuple[np.ndarray, ...]
    similarities: tuple[float, ...]


@dataclass(frozen=True)
class Findings:
    """All of one look: a check per place, why each place must not stay as it is, and what was missed."""

    checks: tuple[FaceCheck, ...]
    troubles: tuple[Cause | None, ...]
    missed: tuple[FoundFace, ...]

    @property
    def clean(self) -> bool:
        """Whether the photo may be released."""
        return not self.missed and all(trouble is None for trouble in self.troubles)


class SecondLook:
    """Judges composed photos. `judges` are all that embed faces; those of `gate` decide."""

    def __init__(self, bundle: Bundle, finder: Finds, *, gate: Sequence[Judge], others: Sequence[Judge] = ()) -> None:
        """`finder` should be more suspicious than the one that found the faces in the first place.

        `others` (auditors, the network optimized against) are recorded and never asked for a decision.
        """
        self._bundle = bundle
        self._finder = finder
        self.gate = tuple(gate)
        self.judges = (*self.gate, *others)

    def suspects(self, pixels: np.ndarray) -> list[FoundFace]:
        """All that looks like a face in a photo uint8 [H, W, 3]."""
        return self._finder.find(pixels)

    def check_judges(self, pixels: np.ndarray, places: Sequence[Place]) -> None:
        """Try the gate's judges and the auditors on the original's known faces; raises JudgeError.

        Auditors' rates decide, too, about the dataset; the network that was optimized against decides nothing.
        """
        known = [place for place in places if place.references]
        for number, judge in enumerate(self.judges if known else ()):
            if judge.name == OBJECTIVE:
                continue
            references = np.stack([place.references[number] for place in known])
            check_judge(judge, pixels, [place.landmarks for place in known], references)

    def references(self, pixels: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, ...]:
        """Embeddings [E] per judge of a face of the original photo."""
        return tuple(judge.embed(pixels, [landmarks])[0] for judge in self.judges)

    def look(
        self, original: np.ndarray, shown: np.ndarray, drawing: Drawing, suspects: Sequence[FoundFace]
    ) -> Findings:
        """Judge a composed photo.

        original, shown: uint8 [H, W, 3], the second as decoded from the finished file; suspects: what `suspects` found
        in the original.
        """
        found = self.suspects(shown)
        checks = tuple(self._check(original, shown, place, found) for place in drawing.places)
        troubles = tuple(
            self._trouble(place, check, shown, found) for place, check in zip(drawing.places, checks, strict=True)
        )
        left = [face for face in suspects if _survives(face, original, shown, drawing)]
        new = [face for face in found if _survives(face, original, shown, drawing)]
        known = np.stack([*(face.box for face in suspects), *(place.box for place in drawing.places)])
        return Findings(checks, troubles, (*left, *self._not_ours(new, shown, drawing.drawn, known)))

    def _not_ours(
        self, faces: Sequence[FoundFace], shown: np.ndarray, drawn: np.ndarray, known: np.ndarray
    ) -> list[FoundFace]:
        """Those of the faces seen in the finished file that are more than what was drawn.

        A finder this suspicious sees some new faces a second time, badly: too large, upside down. One is no leftover if
        it is none of the original's faces (`known`, boxes [K, 4]), most of its landmarks were drawn over (whether that
        has changed is asked of its place), and nothing is seen there any more where one colour takes the place of all
        that was drawn.
        """
        ours = [
            not (overlaps(face.box, known)[0] >= KNOWN).any() and _landmarks_drawn(face, drawn) >= OURS
            for face in faces
        ]
        if not any(ours):
            return list(faces)
        blank = shown.copy()
        blank[drawn] = np.median(shown[drawn], axis=0)
        still = self.suspects(blank)
        return [
            face
            for face, one_of_ours in zip(faces, ours, strict=True)
            if not one_of_ours or any(other.lies_in(face.box) for other in still)
        ]

    def _check(self, original: np.ndarray, shown: np.ndarray, place: Place, found: Sequence[FoundFace]) -> FaceCheck:
        size = self._bundle.spec.resolution
        before, after = (extract_crop(pixels, place.quad, size) for pixels in (original, shown))
        embeddings = tuple(judge.embed(shown, [place.landmarks])[0] for judge in self.judges)
        with torch.inference_mode():
            farl = self._bundle.farl.embed(to_tensor(np.stack([before, after])).to(self._bundle.device)).cpu().numpy()
        return FaceCheck(
            detected=any(_within(face, place) for face in found),
            likeness=likeness(before, after, place.crop),
            farl_cosine=float((farl[0] * farl[1]).sum()),
            embeddings=embeddings,
            similarities=tuple(
                float(similarity(judge.measure, embedding[None], reference[None])[0])
                for judge, embedding, reference in zip(self.judges, embeddings, place.references, strict=True)
            ),
        )

    def _trouble(self, place: Place, check: FaceCheck, shown: np.ndarray, found: Sequence[FoundFace]) -> Cause | None:
        if place.crop is not None and place.condemned is not None:
            return place.condemned
        # Written so that what is no number is trouble.
        mosaic = place.crop is None and not place.plain
        if not check.likeness < (MOSAIC_LIMIT if mosaic else LIKENESS_LIMIT):
            return Cause.UNCHANGED
        if place.plain and _one_colour(shown, place.box):
            # One colour shows nothing of a face: a judge that knows it knows the hair and the clothes, which stay.
            return None
        for judge, reference, plain in zip(self.gate, place.references, check.similarities, strict=False):
            if place.gate is not None and judge.name not in place.gate:
                continue
            # Not Python's max, which prefers any number to a NaN behind it.
            if not np.max([plain, self._disguised(judge, reference, place, shown, found)]) < judge.threshold:
                return Cause.STILL_RECOGNISABLE
        return None

    def _disguised(
        self, judge: Judge, reference: np.ndarray, place: Place, shown: np.ndarray, found: Sequence[FoundFace]
    ) -> float:
        """Highest similarity of the face made grey, turned, and as the finder sees it there; NaN if one is NaN."""
        crop = extract_crop(shown, place.quad, CLOSE)
        hidden = disguised(judge, reference, crop, landmarks_in_crop(place.landmarks, place.quad, CLOSE))
        seen = [face.landmarks for face in found if _within(face, place) and np.isfinite(face.landmarks).all()]
        return float(np.max([hidden, *(upright(judge, reference, shown, points) for points in seen)]))


def _one_colour(shown: np.ndarray, box: np.ndarray) -> bool:
    """Whether the inner part of a box [4] is of one colour, up to what an encoder adds; False outside of the photo."""
    inner = shown[_inner(box)].reshape(-1, shown.shape[2])
    if not len(inner):
        return False
    least, most = np.percentile(inner, (5, 95), axis=0)
    return bool((most - least <= ONE_COLOUR).all())


def _within(face: FoundFace, place: Place) -> bool:
    """Whether the middle of a found face lies in the middle of the place's crop quad."""
    share = landmarks_in_crop(face.middle, place.quad, 1)
    return bool((np.abs(share - 0.5) < 0.35).all())


def _survives(face: FoundFace, original: np.ndarray, shown: np.ndarray, drawing: Drawing) -> bool:
    """Whether something that looks like a face was not drawn over, or shows what it did."""
    boxes = np.stack([place.box for place in drawing.places])
    covered = _covered(face.box, drawing.drawn)
    if bool((overlaps(face.box, boxes)[0] >= KNOWN).any()):
        # Whether it has changed was asked of its place.
        return not covered >= COVERED_OF_KNOWN
    if not covered >= COVERED:
        return True
    quad = crop_quad(sound_landmarks(face))
    before, after = (extract_crop(pixels, quad, PATCH) for pixels in (original, shown))
    return not pixel_likeness(before, after) < LIKENESS_LIMIT


def _landmarks_drawn(face: FoundFace, drawn: np.ndarray) -> int:
    """How many of a face's landmarks were drawn over; those outside of the photo were not."""
    points = face.landmarks[np.isfinite(face.landmarks).all(axis=1)]
    columns, rows = np.floor(points).astype(int).T
    height, width = drawn.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return int(drawn[rows[inside], columns[inside]].sum())


def _covered(box: np.ndarray, drawn: np.ndarray) -> float:
    """Share of the inner part of a box [4] that was drawn over; 0 where it lies outside of the photo."""
    inner = drawn[_inner(box)]
    return float(inner.mean()) if inner.size else 0.0


def _inner(box: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the inner part of a box [4]."""
    corners = box.reshape(2, 2)
    middle, half = corners.mean(axis=0), (corners[1] - corners[0]) / 2 * INNER
    left, top = np.floor(middle - half).astype(int)
    right, bottom = np.ceil(middle + half).astype(int)
    return slice(max(top, 0), max(bottom, 1)), slice(max(left, 0), max(right, 1))
