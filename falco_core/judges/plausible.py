"""How plausible a new face is: one number, the product of a few soft steps, each of which can be looked up.

A step is 1 where nothing is wrong and falls to 0 where the face is surely broken. The constants are those of
benchmarks/quality.py, whose sheets were looked at (docs/quality.md).
Quality only adds reasons to conceal: no judge asks it.
"""

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np

from falco_core.faces.detect import Detector
from falco_core.faces.mask import features_mask, jaw_mask

UNSURE, SURE = 0.6, 0.95
"""MTCNN's probability at which nothing is left of a face, and from which it is one. Blurred faces reach 0.92 too: this
step is for what is no face at all."""
OFF, MOVED = 0.26, 0.16
"""Mean distance of five landmarks to where they were, in units of `unit_of`, from which eyes, nose and mouth lie where
no face has them, and up to which only another person's do."""
ASKEW, UPRIGHT = 0.60, 0.25
"""The same of the original itself, between MTCNN and the finder: what the finder took for a face is turned another way,
and the new face would be, too."""
FOREIGN, LIKE_SKIN = 0.30, 0.10
"""Distance of the skin's hue (log ratios of red and blue to green) to that of any skin, and to the old face's."""
SKIN = ((0.05, 0.75), (-0.70, 0.05))
"""Log ratios of red to green and of blue to green that skin has in white light, from pale to dark."""
GLARING, LIT = 0.50, 0.30
"""Log ratio of light on the new face to that on the old one, where they differ most, at which the
new one is lit as nothing around it is or has blotches, and up to which they are other people: 0.25 of most faces."""
NO_BEARD = 0.5
"""Of `jaw_mask`: below, no beard grows."""
LIGHT_BLUR, LIT_WITHIN = 1 / 24, 95.0
"""Of the crop's side: standard deviation of the blur that leaves light; percentile that counts as most."""
GONE, DRAWN = 0.2, 0.4
"""Strength of the strokes of an eye or the mouth over the old one's at which it is wiped out, and from which a soft
network draws it: 0.18 and 0.24 of mouths that are none, 0.44 at least of nine in ten."""
STROKES = 1 / 80, 1 / 16
"""Of the crop's side: between which blurs (standard deviations) they are."""
FLAT = 0.03
"""Strength below which an old eye or mouth shows no strokes itself, being shut in the dark: log brightness."""
EYE, MOUTH = (0.3, 0.2), (0.45, 0.25)
"""Half axes of an eye's and the mouth's surroundings, in units of `unit_of`."""
GLOWING, BRIGHT = 0.28, 0.13
"""Log ratio of the brightest parts of eyes and mouth to the old ones' at which they glow as in no photo, and up to
which teeth and whites of eyes may differ: 0.18 to 0.37 of six faces that glow, 0.125 at most of 138 that do not."""
BRIGHTEST = 98.0
"""Percentile that counts as that: the whites of both eyes are a twentieth of eyes, brows and mouth."""
UNKNOWN, FAITHFUL = -0.2, 0.2
"""Recogniser cosine of the reconstruction to the crop at which the inversion shows somebody else altogether, and from
which what the code keeps of the original is right."""
BLACK = 8.0
"""Added to 8-bit values before logarithms, so that noise in the dark does not count as colour."""
SMOOTH = 1 / 128
"""Of the crop's side: standard deviation of the blur that leaves a face without its grain."""
INSIDE, FEATURE = 0.9, 0.3
"""From which value of the mask on a pixel is the new face's, and of `features_mask` one of eyes, brows or mouth."""
FEW = 16
"""Pixels without which skin has no colour."""
PATCH = 160
"""Pixels of the crop's side at which MTCNN looks: its face is 70 pixels wide then."""
BLACK_AND_WHITE = (2.0, 98.0)
"""Percentiles of brightness that MTCNN is shown as black and white, so that it sees dark faces."""
NO_DOUBT = 0.995
"""MTCNN's probability that faces upside down, taken for upright ones, do not reach (0.989 of 78, docs/finding.md)."""
LEAST = 0.5
"""MTCNN's probability below which it sees nothing."""


@dataclass(frozen=True)
class Look:
    """What MTCNN sees of a face: its probability, 0 where it sees none, and landmarks [5, 2], crop pixels.

    turned: its probability in the crop upside down, which is higher where the face is; 0 if there is no doubt.
    """

    chance: float
    landmarks: np.ndarray | None
    turned: float = 0.0


@dataclass(frozen=True)
class Quality:
    """The steps, each 0 (broken) to 1 (nothing wrong).

    aligned: the original is a face where the finder saw it; detected: a new one is seen there; placed: its eyes, nose
    and mouth are where they were; tone: the skin has a colour of skin, or the old one's; light: it is lit as the old
    face was; glow: eyes and mouth are, too; drawn: there are eyes and a mouth; kept: the inversion knows the original.
    """

    aligned: float
    detected: float
    placed: float
    tone: float
    light: float
    glow: float
    drawn: float
    kept: float

    @property
    def value(self) -> float:
        """The product: the plausibility that the tables name, 0..1."""
        return float(math.prod(getattr(self, each.name) for each in fields(self)))


class Plausibility:
    """Says how plausible new faces are, with MTCNN's help."""

    def __init__(self, *, device: str = "cpu") -> None:
        self._detector = Detector(device=device, threshold=LEAST)

    def look(self, crop: np.ndarray, landmarks: np.ndarray) -> Look:
        """What MTCNN sees of the face at landmarks [5, 2] of a crop uint8 [R, R, 3]."""
        lit, scale = _lit(crop), PATCH / len(crop)
        chance, points = self._best(lit, landmarks * scale)
        turned = 0.0
        if chance < NO_DOUBT:
            turned, _ = self._best(np.ascontiguousarray(lit[::-1, ::-1]), PATCH - landmarks * scale)
        return Look(chance, None if points is None else points / scale, turned)

    def _best(self, patch: np.ndarray, landmarks: np.ndarray) -> tuple[float, np.ndarray | None]:
        """MTCNN's probability and landmarks of the likeliest face around known landmarks, patch pixels."""
        middle = landmarks.mean(axis=0)
        here = [face for face in self._detector.detect(patch) if _holds(face.box, middle)]
        best = max(here, key=lambda face: face.score, default=None)
        return (0.0, None) if best is None else (best.score, best.landmarks)

    def quality(
        self,
        original: np.ndarray,
        shown: np.ndarray,
        *,
        mask: np.ndarray,
        landmarks: np.ndarray,
        fidelity: float,
        seen: Look,
    ) -> Quality:
        """How plausible a composite is.

        original, shown: aligned crops uint8 [R, R, 3] of one place; mask: [R, R] in 0..1, what is new; landmarks:
        [5, 2] of the original, crop pixels; fidelity: recogniser cosine of the original's reconstruction; seen: `look`
        of `shown`.
        """
        known = self.look(original, landmarks)
        skins = [skin_of(crop, mask, landmarks) for crop in (original, shown)]
        return Quality(
            aligned=_aligned(known, landmarks),
            detected=step(seen.chance, UNSURE, SURE) if seen.chance >= seen.turned else 0.0,
            placed=step(_moved(seen, known, landmarks), OFF, MOVED),
            tone=step(_foreign(*skins), FOREIGN, LIKE_SKIN),
            light=step(_relit(original, shown, mask, landmarks), GLARING, LIT),
            glow=step(_glow(original, shown, mask, landmarks), GLOWING, BRIGHT),
            drawn=step(_drawn(original, shown, landmarks), GONE, DRAWN),
            kept=step(fidelity, UNKNOWN, FAITHFUL),
        )


def step(value: float, broken: float, fine: float) -> float:
    """0 at `broken` and beyond, 1 at `fine` and beyond, a straight line between; what is no number is broken."""
    share = (value - broken) / (fine - broken)
    return min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0


def unit_of(landmarks: np.ndarray) -> float:
    """The larger of the distances from eye to eye and from eyes to mouth: a turned head's eyes move together."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    return float(max(np.hypot(*(landmarks[1] - landmarks[0])), np.hypot(*(mouth - eyes)), 1e-6))


def skin_of(crop: np.ndarray, mask: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
    """Mean colour [3] (0..255) of a crop's skin inside the mask, without eyes, brows and mouth; None: there is none."""
    skin = (mask > INSIDE) & ~_features(landmarks, len(crop))
    if skin.sum() < FEW:
        return None
    return np.asarray(_smooth(crop)[skin].mean(axis=0))


def _glow(original: np.ndarray, shown: np.ndarray, mask: np.ndarray, landmarks: np.ndarray) -> float:
    """Log ratio of the brightest parts of eyes and mouth, new to old."""
    eyes_and_mouth = (mask > INSIDE) & _features(landmarks, len(shown))
    if eyes_and_mouth.sum() < FEW:
        return 0.0
    old, new = (
        float(np.percentile(_smooth(crop)[eyes_and_mouth].max(axis=1), BRIGHTEST)) for crop in (original, shown)
    )
    return math.log((new + BLACK) / (old + BLACK))


def _features(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Which pixels of a crop are eyes, brows and mouth: bool [size, size]."""
    return np.asarray(features_mask(landmarks, slice(0, size), slice(0, size)) >= FEATURE)


def _smooth(crop: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), SMOOTH * len(crop)).astype(np.float64))


def _lit(crop: np.ndarray) -> np.ndarray:
    """The crop as MTCNN is shown it: uint8 [PATCH, PATCH, 3]."""
    method = cv2.INTER_AREA if len(crop) > PATCH else cv2.INTER_CUBIC
    patch = cv2.resize(crop, (PATCH, PATCH), interpolation=method).astype(np.float32)
    dark, bright = np.percentile(patch, BLACK_AND_WHITE)
    stretched = (patch - dark) * (255 / max(bright - dark, BLACK))
    return np.asarray(stretched.clip(0, 255).round().astype(np.uint8))


def _holds(box: np.ndarray, point: np.ndarray) -> bool:
    return bool((box[:2] <= point).all() and (point <= box[2:]).all())


def _aligned(known: Look, landmarks: np.ndarray) -> float:
    """Whether MTCNN sees the original where the finder did; 1 where MTCNN is not sure of anything."""
    if known.turned >= SURE and known.turned > known.chance:
        return 0.0
    return step(_away(known, landmarks, landmarks), ASKEW, UPRIGHT) if known.chance >= SURE else 1.0


def _moved(seen: Look, known: Look, landmarks: np.ndarray) -> float:
    """How far a face moved from where the finder or MTCNN saw the original: each errs in its own way."""
    moved = _away(seen, landmarks, landmarks)
    return moved if known.landmarks is None else min(moved, _away(seen, known.landmarks, landmarks))


def _away(seen: Look, points: np.ndarray, landmarks: np.ndarray) -> float:
    """Mean distance of what is seen to points [5, 2], in units of the face at `landmarks`; infinite if nothing is."""
    if seen.landmarks is None:
        return math.inf
    return float(np.linalg.norm(seen.landmarks - points, axis=1).mean()) / unit_of(landmarks)


def _foreign(old: np.ndarray | None, new: np.ndarray | None) -> float:
    """How far the new skin's hue lies from any skin's, and from the old one's: coloured light colours both."""
    if old is None or new is None:
        return 0.0
    hue, before = _hue(new), _hue(old)
    nearest = np.clip(hue, [low for low, _ in SKIN], [high for _, high in SKIN])
    return float(min(np.linalg.norm(hue - nearest), np.linalg.norm(hue - before)))


def _hue(colour: np.ndarray) -> np.ndarray:
    logs = np.log(colour + BLACK)
    return np.asarray(logs[[0, 2]] - logs[1])


def _relit(original: np.ndarray, shown: np.ndarray, mask: np.ndarray, landmarks: np.ndarray) -> float:
    """By how much the light on a face changed where it changed most; a beard that came or went is no light."""
    whole = slice(0, len(mask))
    inside = (mask > INSIDE) & (jaw_mask(landmarks, whole, whole) < NO_BEARD)
    if inside.sum() < FEW:
        return 0.0
    old, new = (_logs(crop, LIGHT_BLUR) for crop in (original, shown))
    return float(np.percentile(np.abs(new - old)[inside], LIT_WITHIN))


def _drawn(original: np.ndarray, shown: np.ndarray, landmarks: np.ndarray) -> float:
    """How strong the strokes of the faintest of eyes and mouth are, over the old one's."""
    old, new = (_logs(crop, STROKES[0]) - _logs(crop, STROKES[1]) for crop in (original, shown))
    places = [(landmarks[0], EYE), (landmarks[1], EYE), (landmarks[3:].mean(axis=0), MOUTH)]
    regions = [_around(point, axes, landmarks, len(shown)) for point, axes in places]
    shares = [new[region].std() / max(old[region].std(), FLAT) for region in regions if region.sum() >= FEW]
    return float(min(shares, default=1.0))


def _around(point: np.ndarray, axes: tuple[float, float], landmarks: np.ndarray, size: int) -> np.ndarray:
    """The ellipse around a point [2] that lies along the eyes: bool [size, size]."""
    filled = np.zeros((size, size), dtype=np.uint8)
    along = landmarks[1] - landmarks[0]
    half = (axes[0] * unit_of(landmarks), axes[1] * unit_of(landmarks))
    centre = (float(point[0]) - 0.5, float(point[1]) - 0.5)
    ellipse = (centre, (2 * half[0], 2 * half[1]), math.degrees(math.atan2(along[1], along[0])))
    cv2.ellipse(filled, ellipse, 1, cv2.FILLED)
    return filled > 0


def _logs(crop: np.ndarray, blur: float) -> np.ndarray:
    """Log brightness [R, R] of a crop uint8 [R, R, 3], blurred by a share of its side."""
    grey = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(np.log(grey + BLACK), (0, 0), blur * len(crop)))
