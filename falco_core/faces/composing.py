"""From rows to a composed photo, and back to the row that is kept of it."""

import hashlib
from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from falco_core.bundles.bundle import Bundle
from falco_core.faces.align import landmarks_in_crop
from falco_core.faces.conceal import Concealment
from falco_core.faces.find import finder_for
from falco_core.faces.ladder import Climb, Composition, FaceOutcome
from falco_core.faces.place import Place
from falco_core.judges.recognisers import Judge, judge_named
from falco_core.judges.roles import Roles
from falco_core.judges.second_look import SecondLook
from falco_core.judges.seen import Seen, When
from falco_core.photos.codec import pixels_of
from falco_core.project.params import Params
from falco_core.reasons import Cause, Reason, Treatment
from falco_core.release.audit import audit_file
from falco_core.release.mark import mark
from falco_core.store.rows import Anonymized, Check, ComposedPhoto, FoundFaceRow


@dataclass(frozen=True)
class Spot:
    """A face of a photo: who decides on it; why it is concealed, or will be after it was drawn and counted (condemned);
    plausibility of its new face.
    """

    face: FoundFaceRow
    gate: tuple[str, ...]
    cause: Cause | None
    condemned: Cause | None
    quality: float | None

    @classmethod
    def of(cls, face: FoundFaceRow, gate: tuple[str, ...], new: Anonymized | None, near: Set[str]) -> "Spot":
        """The spot of a face; new: what anonymize left of it, if it was tried; near: the new faces (ids) that are near
        to an original (`judges.finished.near_before_composing`).
        """
        cause, condemned = face.cause, None if new is None else new.cause
        if condemned is None and face.face in near:
            condemned = Cause.NEAR_ANOTHER_ORIGINAL
        if condemned == Cause.NOT_FINITE:
            cause, condemned = condemned, None
        return cls(face, gate, cause, condemned, None if new is None else new.attempts[-1].quality)

    def place(self, references: tuple[np.ndarray, ...], new: Anonymized | None, mask: np.ndarray) -> Place:
        """Where and what to draw; references: the original's embedding per judge; new, mask: its new face's."""
        box, quad, landmarks = (np.asarray(flat) for flat in (self.face.box, self.face.quad, self.face.landmarks))
        return Place(
            face=self.face.face,
            box=box,
            quad=quad.reshape(4, 2),
            landmarks=landmarks.reshape(5, 2),
            references=references,
            crop=pixels_of(new.crop) if new is not None and self.cause is None else None,
            mask=mask if self.cause is None else None,
            gate=self.gate,
            condemned=self.condemned,
            cause=self.cause,
            score=self.face.score,
            quality=self.quality,
        )


def climb_for(bundle: Bundle, params: Params, roles: Roles) -> Climb:
    """How photos are composed and looked at again, as the parameters say."""
    threshold = params.align.detection_threshold * params.compose.suspicion
    look = SecondLook(
        bundle,
        finder_for(str(bundle.device), threshold, params.align.smallest_face),
        gate=[judge_named(name, bundle) for name in judges_of_look(roles)[: len(roles.gate)]],
        others=[judge_named(name, bundle) for name in judges_of_look(roles)[len(roles.gate) :]],
    )
    return Climb(
        look=look,
        otherwise=Concealment(params.compose.otherwise),
        max_pixels=params.align.max_pixels,
        xmp=mark(params.release.mark),
    )


def judges_of_look(roles: Roles) -> tuple[str, ...]:
    """The judges that look a second time, in the order of a place's references: those of the gate first."""
    return (*roles.gate, roles.objective, *roles.audit)


def composed_row(composition: Composition, look: SecondLook, *, photo_format: str) -> ComposedPhoto:
    """What became of a photo, its file audited. The bytes of one that must not be released are not even kept."""
    gate = tuple(judge.name for judge in look.gate)
    data, reason, detail = composition.data or b"", composition.reason, composition.detail
    if reason is None and (findings := audit_file(data)):
        data, reason, detail = b"", Reason.CARRIES_MORE, ", ".join(findings)
    return ComposedPhoto(
        format=photo_format,
        reason=reason,
        detail=detail,
        checks=tuple(_check(outcome, gate) for outcome in composition.outcomes),
        file_sha256=hashlib.sha256(data).hexdigest() if data else "",
        file=data,
        seen=_seen(composition, look).to_bytes(),
    )


def _treatment(place: Place) -> Treatment:
    """What a face got."""
    if place.cause is None:
        return Treatment.REPLACED
    return Treatment.BLANKED if place.plain else Treatment.CONCEALED


def _check(outcome: FaceOutcome, gate: tuple[str, ...]) -> Check:
    check, place = outcome.last, outcome.place
    return Check(
        face=place.face,
        treatment=_treatment(place),
        cause=place.cause,
        judged_by=gate if place.gate is None else place.gate,
        anonymized=outcome.anonymized,
        detected=bool(check.detected),
        likeness=float(check.likeness),
        farl_cosine=float(check.farl_cosine),
        score=float(place.score),
        box=tuple(float(edge) for edge in place.box),
        quality=place.quality,
    )


def _seen(composition: Composition, look: SecondLook) -> Seen:
    outcomes = composition.outcomes
    found: dict[tuple[When, str], np.ndarray] = {}
    for number, judge in enumerate(look.judges if outcomes else ()):
        found["original", judge.name] = np.stack([outcome.place.references[number] for outcome in outcomes])
        found["first", judge.name] = np.stack([outcome.first.embeddings[number] for outcome in outcomes])
        found["last", judge.name] = np.stack([outcome.last.embeddings[number] for outcome in outcomes])
    for judge in look.gate if outcomes else ():
        width = found["original", judge.name].shape[1]
        found["drawn", judge.name] = np.stack([_drawn(judge, outcome.place, width) for outcome in outcomes])
    return Seen(found)


def _drawn(judge: Judge, place: Place, width: int) -> np.ndarray:
    """What a judge sees of the crop itself [E]: in its photo a face has another one's hair, light and outline."""
    if place.crop is None:
        return np.full(width, np.nan, dtype=np.float32)
    embedded: np.ndarray = judge.embed(place.crop, [landmarks_in_crop(place.landmarks, place.quad, len(place.crop))])
    own: np.ndarray = embedded[0]
    return own
