"""Finding every face of a photo: CenterFace and YuNet look at several views, and closer at what may be a face.

    finder = Finder()
    for face in finder.find(pixels): ...

Measured by benchmarks/finder.py; docs/finding.md says why the numbers here are what they are.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from falco_core.errors import ParamsError
from falco_core.faces.centerface import CenterFace, overlaps
from falco_core.faces.closer import CloserLook, Opinion, patch_around
from falco_core.faces.sightings import Sighting, join
from falco_core.faces.views import views_of
from falco_core.faces.yunet import YuNet

THRESHOLD = 0.37
"""Score from which something is a face."""
ALONE = 0.75
"""Share of CenterFace's score in a view that counts when nobody agrees with it."""
SMALLEST = 12
"""Pixels: the smallest face that CenterFace sees reliably."""
FLOOR = 0.03
"""CenterFace's score in a view below which nothing is looked at, whatever the threshold."""
SURE = 0.3
"""CenterFace's score in a view below which YuNet's box may be the better one."""
PLACED = 0.5
"""YuNet's score in a closer look from which its box is looked at instead."""
TILTED = 0.1
"""Score in a view from which turns between those of 90 degrees are tried: they show false faces, too."""
WELL_PLACED = 0.7
"""Overlap of YuNet's box with a view's from which there is nothing new to be seen."""
ONE_FACE = 0.3
"""Overlap (intersection over union) from which two boxes are one face."""
BORDER_FLOOR = 0.3
"""YuNet's score in a mirrored view below which nothing is looked at."""
LOWEST = 0.05
"""The lowest threshold."""


@dataclass(frozen=True)
class FoundFace:
    """A found face, in photo pixels (the centre of the first pixel is (0.5, 0.5)).

    box: [4] x0 y0 x1 y1, inside the photo. landmarks: [5, 2] left eye, right eye, nose, left and right mouth corner as
    seen when the face is upright, so they follow a turned face. score: how surely it is a face, 0..1 (`score_of`).
    mtcnn_score: MTCNN's, 0 where it does not see the face: then the landmarks are YuNet's or, where that sees none
    either, CenterFace's, which are no good for turned faces. views: which saw it, the best one first.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float
    mtcnn_score: float
    views: tuple[str, ...]

    @property
    def size(self) -> float:
        """The shorter side of the box, pixels."""
        return float((self.box[2:] - self.box[:2]).min())

    @property
    def middle(self) -> np.ndarray:
        """Of the box [2]."""
        middle: np.ndarray = self.box.reshape(2, 2).mean(axis=0)
        return middle

    def lies_in(self, box: np.ndarray) -> bool:
        """Whether its middle lies in a box [4]."""
        return bool((self.middle >= box[:2]).all() and (self.middle <= box[2:]).all())


@lru_cache(maxsize=2)
def finder_for(device: str, threshold: float, smallest: int) -> "Finder":
    """The finder with these settings, loaded once per process."""
    return Finder(device=device, threshold=threshold, smallest=smallest)


class Finder:
    """Finds the faces of one photo at a time."""

    def __init__(self, *, device: str = "cpu", threshold: float = THRESHOLD, smallest: int = SMALLEST) -> None:
        """Load the networks (`device` is MTCNN's; the others run on the CPU).

        `threshold` is the score from which something counts as a face, LOWEST..1: a lower one finds all that a higher
        one finds, and more. `smallest` is the size in pixels, of a box's longer side, from which a face counts; it
        changes nothing about larger faces. Raises ParamsError for a threshold or size that makes no sense and
        BundleError for a damaged network.
        """
        if not LOWEST <= threshold <= 1:
            raise ParamsError(f"the finder's threshold must be {LOWEST}..1, not {threshold}")
        if smallest < 1:
            raise ParamsError(f"the smallest face must be 1 pixel or more, not {smallest}")
        self._threshold, self._smallest = threshold, smallest
        self._centerface, self._yunet = CenterFace(), YuNet()
        self._closer = CloserLook(device=device, centerface=self._centerface, yunet=self._yunet)

    def find(self, pixels: np.ndarray) -> list[FoundFace]:
        """Faces of a photo uint8 RGB [H, W, 3], from left to right."""
        sightings: list[Sighting] = []
        for view in views_of(pixels):
            if view.border:
                join(sightings, view, self._yunet.look(view.pixels, threshold=BORDER_FLOOR))
            else:
                join(sightings, view, self._centerface.look(view.pixels, threshold=FLOOR))
        least = min(self._smallest, SMALLEST)  # which faces are seen must not depend on `smallest`
        judged = [self._judged(pixels, sighting) for sighting in sightings if _side(sighting.box, pixels) >= least]
        faces = [face for face in judged if face is not None and _side(face.box, pixels) >= self._smallest]
        return sorted(_distinct(faces), key=lambda face: tuple(face.box))

    def _judged(self, pixels: np.ndarray, sighting: Sighting) -> FoundFace | None:
        between = max(sighting.score, sighting.border_score) >= TILTED
        place = sighting.box
        opinion = self._closer.opinion(patch_around(pixels, place), between=between)
        score = score_of(sighting, yunet=opinion.yunet, centerface=opinion.centerface)
        if opinion.box is not None and _misplaced(sighting, opinion):
            again = self._closer.opinion(patch_around(pixels, opinion.box), between=between)
            if again.box is not None and again.yunet >= PLACED:
                place, opinion = again.box, again
                score = score_of(sighting, yunet=again.yunet, centerface=again.centerface)
        if score < self._threshold:
            return None
        # A mirrored half gives good scores and wrong landmarks.
        chance, landmarks = self._closer.landmarks(patch_around(pixels, place, mirrored=False), opinion.degrees)
        if landmarks is None:
            upright = sighting.score >= SURE and _on_border(_inside(place, pixels), pixels.shape)
            landmarks = sighting.landmarks if upright or opinion.landmarks is None else opinion.landmarks
        return FoundFace(_inside(place, pixels), landmarks, score, chance, sighting.views)


def _misplaced(sighting: Sighting, opinion: Opinion) -> bool:
    """Whether a view that is unsure of a face is unsure of its place, too."""
    if opinion.box is None or opinion.yunet < PLACED or sighting.score >= SURE:
        return False
    return bool(overlaps(opinion.box, sighting.box[None])[0][0] < WELL_PLACED)


def _distinct(faces: list[FoundFace]) -> list[FoundFace]:
    """Faces without those whose box is a better one's."""
    kept: list[FoundFace] = []
    for face in sorted(faces, key=lambda face: (-face.score, *face.box)):
        if not kept or overlaps(face.box, np.stack([other.box for other in kept]))[0].max() < ONE_FACE:
            kept.append(face)
    return kept


def score_of(sighting: Sighting, *, yunet: float, centerface: float) -> float:
    """How surely a sighting is a face, 0..1, from its views' scores and those of the closer look.

    YuNet's score in the closer look times the root of CenterFace's, which is the mean of those in the view and in the
    closer look. At the photo's border YuNet's score in a mirrored view, from its floor up, may stand for CenterFace's
    in a view. What CenterFace alone sees in a view counts, too, at a discount.
    """
    border = (sighting.border_score - BORDER_FLOOR) / (1 - BORDER_FLOOR)
    agreed = yunet * ((max(sighting.score, border) + centerface) / 2) ** 0.5
    return float(max(ALONE * sighting.score, agreed))


def is_cut(face: FoundFace, shape: tuple[int, ...]) -> bool:
    """Whether a face's box touches the border of its photo, whose shape is (H, W, ...): a part may be missing."""
    return _on_border(face.box, shape)


def _on_border(box: np.ndarray, shape: tuple[int, ...]) -> bool:
    near = 0.02 * float((box[2:] - box[:2]).min()) + 1
    x0, y0, x1, y1 = box
    return bool(x0 < near or y0 < near or x1 > shape[1] - near or y1 > shape[0] - near)


def turned_away(landmarks: np.ndarray) -> float:
    """How far a face with landmarks [5, 2] looks to a side: 0 frontal, 1 profile.

    Where the nose lies between the middles of both eyes and of both mouth corners, measured across the face: in the
    middle of the eyes 0, beyond an eye 1. Turns and tilts of the picture do not change it.
    """
    left, right, nose, *mouth = np.asarray(landmarks, dtype=np.float64)
    eyes, lips = (left + right) / 2, np.mean(mouth, axis=0)
    down = lips - eyes
    height = float(np.hypot(*down))
    if height < 1e-6:
        return 1.0
    across = np.array([down[1], -down[0]]) / height
    half = max(abs(float((right - left) @ across)), abs(float((mouth[1] - mouth[0]) @ across)), 1e-6) / 2
    return min(1.0, abs(float((nose - eyes) @ across)) / half)


def _side(box: np.ndarray, pixels: np.ndarray) -> float:
    """The longer side, in pixels, of what of a box [4] lies in the photo."""
    inside = _inside(box, pixels)
    return float((inside[2:] - inside[:2]).max())


def _inside(box: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    inside: np.ndarray = np.clip(box, 0.0, np.array([width, height, width, height], dtype=float))
    return inside
