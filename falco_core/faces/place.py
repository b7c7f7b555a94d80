"""A face of a photo on its rung of the ladder, and a photo with all of its faces drawn."""

from dataclasses import dataclass

import numpy as np

from falco_core.faces.find import FoundFace
from falco_core.photos.codec import Photo
from falco_core.reasons import Cause


@dataclass(frozen=True)
class Place:
    """A face to be drawn over.

    box: [4] x0 y0 x1 y1, quad: [4, 2] crop quad, landmarks: [5, 2], photo pixels; crop: the new face uint8 [S, S, 3],
    None where it is concealed because of `cause`; mask: [S, S] in 0..1, what of the crop quad the new face covers;
    plain: concealed by one colour, as a mosaic would not do; references: the original's embedding [E] per judge; gate:
    names of the gate's judges that know such people, None: all of them; condemned: why a new face will not stay
    whatever the second look says: it is drawn and judged once all the same, so that every new face is counted; score:
    the finder's, 0 of a face that only the second look saw; quality: plausibility of its new face, None without one.
    """

    face: str
    box: np.ndarray
    quad: np.ndarray
    landmarks: np.ndarray
    references: tuple[np.ndarray, ...]
    crop: np.ndarray | None = None
    mask: np.ndarray | None = None
    plain: bool = False
    gate: tuple[str, ...] | None = None
    condemned: Cause | None = None
    cause: Cause | None = None
    score: float = 0.0
    quality: float | None = None

    def __post_init__(self) -> None:
        if (self.crop is None) != (self.cause is not None):
            raise ValueError(f"face {self.face} must have either a new face or a cause to conceal it")
        if (self.crop is None) != (self.mask is None):
            raise ValueError(f"face {self.face} must have a new face and its mask, or neither")

    @property
    def side(self) -> float:
        """Side of the crop quad, pixels."""
        return float(np.linalg.norm(self.quad[1] - self.quad[0]))


@dataclass(frozen=True)
class Drawing:
    """A photo with every place drawn over: what will be encoded, and which pixels were drawn: bool [H, W]."""

    photo: Photo
    places: tuple[Place, ...]
    drawn: np.ndarray


LANDMARKS_IN_BOX = np.array([[0.31, 0.38], [0.69, 0.38], [0.5, 0.6], [0.35, 0.79], [0.65, 0.79]])
"""Where an upright frontal face's landmarks lie in its box, as shares of the sides."""


def sound_landmarks(face: FoundFace) -> np.ndarray:
    """A found face's landmarks [5, 2], or, where these span no crop, those of a face that fills its box."""
    eyes, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[3:].mean(axis=0)
    if np.isfinite(face.landmarks).all() and np.hypot(*(mouth - eyes)) > 0.15 * face.size:
        return face.landmarks
    corner, opposite = face.box.reshape(2, 2)
    points: np.ndarray = corner + LANDMARKS_IN_BOX * np.maximum(opposite - corner, 1.0)
    return points
