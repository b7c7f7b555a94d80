"""The ladder: a face gets a new face if that may pass, else it is concealed, else its photo is withheld.

One photo is drawn, encoded and looked at again; what fails is concealed and looked at again, a few times.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from falco_core.faces.align import crop_quad
from falco_core.faces.compose import Pasted, paste
from falco_core.faces.conceal import Concealment, conceal
from falco_core.faces.find import FoundFace
from falco_core.faces.place import Drawing, Place, sound_landmarks
from falco_core.faces.tone import toned
from falco_core.faces.transparency import without_drawn_faces
from falco_core.judges.second_look import FaceCheck, Findings, SecondLook
from falco_core.photos.codec import Photo, decode_photo, encode_photo
from falco_core.reasons import Cause, Reason

ROUNDS = 3
"""How often faces are concealed and the photo is looked at again before it is withheld."""
FAITHFUL = 12.0
"""Grey levels by which the finished file may differ from what was drawn, on average over what was drawn."""


@dataclass(frozen=True)
class FaceOutcome:
    """What a face ended with: `place` on its last rung, and what the second look saw first and last.

    anonymized: it had a new face when it was first drawn, before anything was concealed.
    """

    place: Place
    anonymized: bool
    first: FaceCheck
    last: FaceCheck


@dataclass(frozen=True)
class Composition:
    """The finished file, or the reason why there is none, and what each face ended with.

    detail: more about the reason, or what of the photo's file the finished one could not keep.
    """

    data: bytes | None
    outcomes: tuple[FaceOutcome, ...]
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True)
class Climb:
    """How photos are composed; xmp: the packet that every file carries (`release.mark`)."""

    look: SecondLook
    otherwise: Concealment
    max_pixels: int
    xmp: bytes = b""

    def compose(self, photo: Photo, places: Sequence[Place], *, name: str) -> Composition:
        """Draw over all `places` of a photo and judge the encoded file; `name` prefixes the ids of missed faces.

        Raises JudgeError if a judge does not work.
        """
        self.look.check_judges(photo.pixels, places)
        suspects = self.look.suspects(photo.pixels)
        current, seen = tuple(places), History()
        seen_through = without_drawn_faces(photo, self.look.suspects, suspects)
        if seen_through is None:
            return _withheld(current, seen, Reason.DRAWN_BY_TRANSPARENCY)
        photo = seen_through
        for number in range(ROUNDS + 1):
            if self.otherwise is Concealment.WITHHOLD and any(place.cause for place in current):
                return _withheld(current, seen, Reason.FACE_NOT_REPLACED)
            drawing = self.draw(photo, current)
            data = encode_photo(drawing.photo, xmp=self.xmp)
            shown = decode_photo(data, max_pixels=self.max_pixels).pixels
            if not _faithful(drawing, shown):
                return _withheld(current, seen, Reason.NOT_WHAT_WAS_DRAWN)
            findings = self.look.look(photo.pixels, shown, drawing, suspects)
            seen.note(current, findings)
            if findings.clean:
                return Composition(data, seen.outcomes(current), detail=photo.loss)
            if hopeless := _hopeless(current, findings):
                return _withheld(current, seen, hopeless)
            current = self._concealed(photo, current, findings, name, late=number > 0)
        return _withheld(current, seen, Reason.LEFTOVER_FACE)

    def draw(self, photo: Photo, places: tuple[Place, ...]) -> Drawing:
        """The photo with every place drawn over: far (small) faces first, those that the second look missed last."""
        pixels, drawn = photo.pixels, np.zeros(photo.pixels.shape[:2], dtype=bool)
        for place in sorted(places, key=lambda p: (p.cause is Cause.MISSED_AT_FIRST, p.side, p.face)):
            pasted = self._drawn_over(pixels, place)
            pixels, drawn = pasted.pixels, drawn | pasted.region
        # Transparency can draw a face too: what was drawn is opaque.
        alpha = None if photo.alpha is None else np.where(drawn, np.uint8(255), photo.alpha)
        return Drawing(replace(photo, pixels=toned(pixels, photo.pixels, drawn), alpha=alpha), places, drawn)

    def _drawn_over(self, pixels: np.ndarray, place: Place) -> Pasted:
        if place.crop is None or place.mask is None:
            return conceal(pixels, place.box, Concealment.SOLID if place.plain else self.otherwise)
        return paste(pixels, place.crop, quad=place.quad, landmarks=place.landmarks, mask=place.mask)

    def _concealed(
        self, photo: Photo, places: tuple[Place, ...], findings: Findings, name: str, *, late: bool
    ) -> tuple[Place, ...]:
        """The places with those in trouble concealed, and one more for each face that was missed.

        What is missed late gets one colour at once: not enough looks are left to try a mosaic first.
        """
        kept = tuple(
            place if trouble is None else _next_rung(place, trouble)
            for place, trouble in zip(places, findings.troubles, strict=True)
        )
        number = sum(place.cause is Cause.MISSED_AT_FIRST for place in places)
        return kept + tuple(
            replace(self._missed(photo, face, f"{name}-s{number + index:02d}"), plain=late)
            for index, face in enumerate(_distinct(findings.missed))
        )

    def _missed(self, photo: Photo, face: FoundFace, name: str) -> Place:
        landmarks = sound_landmarks(face)
        return Place(
            face=name,
            box=face.box,
            quad=crop_quad(landmarks),
            landmarks=landmarks,
            references=self.look.references(photo.pixels, landmarks),
            cause=Cause.MISSED_AT_FIRST,
        )


def _distinct(faces: Sequence[FoundFace]) -> list[FoundFace]:
    """Faces of which none lies in the middle of an earlier one: the original and the finished file show the same."""
    kept: list[FoundFace] = []
    for face in faces:
        if not any(face.lies_in(known.box) for known in kept):
            kept.append(face)
    return kept


def _next_rung(place: Place, trouble: Cause) -> Place:
    """What a face in trouble gets instead: a mosaic for the new face, one colour for the mosaic."""
    if place.cause is None:
        return replace(place, crop=None, mask=None, cause=trouble)
    return replace(place, plain=True)


def _hopeless(places: Sequence[Place], findings: Findings) -> Reason | None:
    """Why concealing cannot help any more: a face of one colour is in trouble."""
    for place, trouble in zip(places, findings.troubles, strict=True):
        if place.plain and trouble is not None:
            return Reason.STILL_RECOGNISABLE
    return None


def _faithful(drawing: Drawing, shown: np.ndarray) -> bool:
    """Whether the finished file shows what was drawn, up to what its format loses."""
    if shown.shape != drawing.photo.pixels.shape:
        return False
    if not drawing.drawn.any():
        return not drawing.places
    difference = shown[drawing.drawn].astype(np.int16) - drawing.photo.pixels[drawing.drawn]
    return float(np.abs(difference).mean()) < FAITHFUL


class History:
    """What the second look saw of each face: at first, and at last."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[bool, FaceCheck]] = {}
        self._last: dict[str, FaceCheck] = {}

    def note(self, places: Sequence[Place], findings: Findings) -> None:
        """Keep the checks of one look."""
        for place, check in zip(places, findings.checks, strict=True):
            self._first.setdefault(place.face, (place.crop is not None, check))
            self._last[place.face] = check

    def outcomes(self, places: Sequence[Place]) -> tuple[FaceOutcome, ...]:
        """What each face ended with, of those that were looked at."""
        known = [place for place in places if place.face in self._last]
        return tuple(FaceOutcome(place, *self._first[place.face], self._last[place.face]) for place in known)


def _withheld(places: Sequence[Place], seen: History, reason: Reason) -> Composition:
    concealed = [f"face {place.face}: {place.cause}" for place in places if place.cause is not None]
    return Composition(None, seen.outcomes(places), reason, "; ".join(concealed[:3]))
