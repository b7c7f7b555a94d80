"""Finding every face of a photo: CenterFace decides, on several views; MTCNN looks closer at each face.

    finder = Finder()
    for face in finder.find(pixels): ...

Measured by benchmarks/finder.py; docs/finding.md says why the numbers here are what they are.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from falco_core.errors import ParamsError
from falco_core.faces.centerface import CenterFace
from falco_core.faces.closer import CloserLook
from falco_core.faces.sightings import Sighting, join
from falco_core.faces.views import views_of

THRESHOLD = 0.3
"""CenterFace's score from which something is a face."""
DOUBT = 0.2
"""Share of the threshold from which MTCNN is asked for a second opinion."""
SECOND_OPINIONS = ((0.97, DOUBT), (0.9, 0.5))
"""MTCNN's probabilities that make a face of what CenterFace doubts, with the share of the threshold each needs."""
CUT = 2 / 3
"""Share of the threshold that makes a face of what the photo's border cuts."""
SMALLEST = 12
"""Pixels: the smallest face that CenterFace sees reliably."""
FLOOR = 0.05
"""CenterFace's score below which nothing is looked at, whatever the threshold."""


@dataclass(frozen=True)
class FoundFace:
    """A found face, in photo pixels (the centre of the first pixel is (0.5, 0.5)).

    box: [4] x0 y0 x1 y1, inside the photo. landmarks: [5, 2] left eye, right eye, nose, left and right mouth corner as
    seen when the face is upright, so they follow a turned face. score: CenterFace's. mtcnn_score: MTCNN's, 0 where it
    does not see the face: then the landmarks are CenterFace's, which are no good for turned faces. views: which saw
    it, the best one first.
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


@lru_cache(maxsize=2)
def finder_for(device: str, threshold: float, smallest: int) -> "Finder":
    """The finder with these settings, loaded once per process."""
    return Finder(device=device, threshold=threshold, smallest=smallest)


class Scored(Protocol):
    """What a face is counted by."""

    @property
    def score(self) -> float:
        """CenterFace's."""

    @property
    def mtcnn_score(self) -> float:
        """MTCNN's."""


class Finder:
    """Finds the faces of one photo at a time."""

    def __init__(self, *, device: str = "cpu", threshold: float = THRESHOLD, smallest: int = SMALLEST) -> None:
        """Load both networks (`device` is MTCNN's; CenterFace runs on the CPU).

        `threshold` is CenterFace's score from which something counts as a face, FLOOR..1: a lower one finds all that a
        higher one finds, and more. `smallest` is the size in pixels, of a box's longer side, from which a face counts;
        it changes nothing about larger faces. Raises ParamsError for a threshold or size that makes no sense and
        BundleError for a damaged network.
        """
        if not FLOOR <= threshold <= 1:
            raise ParamsError(f"the finder's threshold must be {FLOOR}..1, not {threshold}")
        if smallest < 1:
            raise ParamsError(f"the smallest face must be 1 pixel or more, not {smallest}")
        self._threshold, self._smallest = threshold, smallest
        self._centerface = CenterFace()
        self._closer = CloserLook(device=device)

    def find(self, pixels: np.ndarray) -> list[FoundFace]:
        """Faces of a photo uint8 RGB [H, W, 3], from left to right."""
        sightings: list[Sighting] = []
        for view in views_of(pixels):
            join(sightings, view, self._centerface.look(view.pixels, threshold=FLOOR))
        faces = [self._judged(pixels, sighting) for sighting in sightings if self._suspicious(sighting, pixels)]
        return sorted((face for face in faces if face is not None), key=lambda face: tuple(face.box))

    def _suspicious(self, sighting: Sighting, pixels: np.ndarray) -> bool:
        box = _inside(sighting.box, pixels)
        large = float((box[2:] - box[:2]).max()) >= self._smallest
        return large and sighting.score >= max(FLOOR, DOUBT * self._threshold)

    def _judged(self, pixels: np.ndarray, sighting: Sighting) -> FoundFace | None:
        chance, landmarks = self._closer.look(pixels, sighting.box)
        points = sighting.landmarks if landmarks is None else landmarks
        face = FoundFace(_inside(sighting.box, pixels), points, sighting.score, chance, sighting.views)
        return face if counts(face, self._threshold, cut=is_cut(face, pixels.shape)) else None


def counts(face: Scored, threshold: float, *, cut: bool) -> bool:
    """Whether a face counts with a threshold: by its score, by less of it where it is cut or MTCNN is sure."""
    if any(face.mtcnn_score >= chance and face.score >= share * threshold for chance, share in SECOND_OPINIONS):
        return True
    return face.score >= threshold * (CUT if cut else 1.0)


def is_cut(face: FoundFace, shape: tuple[int, ...]) -> bool:
    """Whether a face's box touches the border of its photo, whose shape is (H, W, ...): a part may be missing."""
    near = 0.02 * face.size + 1
    x0, y0, x1, y1 = face.box
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


def _inside(box: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    inside: np.ndarray = np.clip(box, 0.0, np.array([width, height, width, height], dtype=float))
    return inside
