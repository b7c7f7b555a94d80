"""A composed photo as the row that is kept of it."""

import hashlib

import numpy as np

from falco_core.faces.align import landmarks_in_crop
from falco_core.faces.ladder import Composition, FaceOutcome
from falco_core.faces.place import Place
from falco_core.judges.recognisers import Judge
from falco_core.judges.second_look import SecondLook
from falco_core.judges.seen import Seen, When
from falco_core.reasons import Treatment
from falco_core.store.rows import Check, ComposedPhoto


def composed_row(composition: Composition, look: SecondLook, *, photo_format: str) -> ComposedPhoto:
    """What became of a photo. The bytes of one that must not be released are not even kept."""
    gate = tuple(judge.name for judge in look.gate)
    data = composition.data or b""
    return ComposedPhoto(
        format=photo_format,
        reason=composition.reason,
        detail=composition.detail,
        checks=tuple(_check(outcome, gate) for outcome in composition.outcomes),
        file_sha256=hashlib.sha256(data).hexdigest() if data else "",
        file=data,
        seen=_seen(composition, look).to_bytes(),
    )


def treatment_of(place: Place) -> Treatment:
    """What a face got."""
    if place.cause is None:
        return Treatment.REPLACED
    return Treatment.BLANKED if place.plain else Treatment.CONCEALED


def _check(outcome: FaceOutcome, gate: tuple[str, ...]) -> Check:
    check, place = outcome.last, outcome.place
    return Check(
        face=place.face,
        treatment=treatment_of(place),
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
