"""What a broken anonymizer might hand on instead of a new face: the original crop, disguised; uint8 [S, S, 3] each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tests.tasks.leaks import Original

Disguise = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]
"""(the original crop, the new face's crop, another original's crop, crop pixels per photo pixel) -> what is drawn."""


def grey(crop: np.ndarray) -> np.ndarray:
    """Without colour."""
    return np.asarray(crop.mean(axis=2, keepdims=True).repeat(3, axis=2).round().astype(np.uint8))


def brighter(crop: np.ndarray, factor: float, offset: float = 0.0) -> np.ndarray:
    """In another light."""
    return np.asarray(np.clip(crop * factor + offset, 0, 255).astype(np.uint8))


def blurred(crop: np.ndarray, side: int) -> np.ndarray:
    """As if it had `side` pixels."""
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, crop.shape[:2], interpolation=cv2.INTER_CUBIC))


def noisy(crop: np.ndarray) -> np.ndarray:
    """With a deviation of 20 grey levels."""
    return brighter(crop + np.random.default_rng(0).normal(0, 20, crop.shape), 1.0)


def moved(crop: np.ndarray, *, by: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Shifted to the right by `by` pixels, or scaled around its middle."""
    middle = len(crop) / 2
    matrix = np.array([[scale, 0, middle * (1 - scale) + by], [0, scale, middle * (1 - scale)]])
    return np.asarray(cv2.warpAffine(crop, matrix, crop.shape[:2], borderMode=cv2.BORDER_REPLICATE))


def half(crop: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The original's left half beside the new face's right half."""
    middle = len(crop) // 2
    return np.concatenate([crop[:, :middle], new[:, middle:]], axis=1)


def mixed(crop: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Both at once, half and half."""
    return np.asarray(((crop.astype(int) + new) // 2).astype(np.uint8))


DISGUISES: dict[str, Disguise] = {
    "as it is": lambda crop, new, other, scale: crop,
    "grey": lambda crop, new, other, scale: grey(crop),
    "mirrored": lambda crop, new, other, scale: crop[:, ::-1],
    "dark": lambda crop, new, other, scale: brighter(crop, 0.3),
    "brighter": lambda crop, new, other, scale: brighter(crop, 1.3, 30),
    "upside down": lambda crop, new, other, scale: crop[::-1],
    "turned by 180 degrees": lambda crop, new, other, scale: crop[::-1, ::-1],
    "turned by 90 degrees": lambda crop, new, other, scale: np.rot90(crop),
    "blurred to 16 pixels": lambda crop, new, other, scale: blurred(crop, 16),
    "blurred to 32 pixels": lambda crop, new, other, scale: blurred(crop, 32),
    "negative": lambda crop, new, other, scale: 255 - crop,
    "with noise": lambda crop, new, other, scale: noisy(crop),
    "8 levels": lambda crop, new, other, scale: crop // 32 * 32 + 16,
    "shifted by 40 pixels": lambda crop, new, other, scale: moved(crop, by=40 * scale),
    "scaled by 0.9": lambda crop, new, other, scale: moved(crop, scale=0.9),
    "somebody else's": lambda crop, new, other, scale: other,
    "half of it": lambda crop, new, other, scale: half(crop, new),
    "mixed with the new face": lambda crop, new, other, scale: mixed(crop, new),
}
"""By name."""


@dataclass(frozen=True)
class Forged(Original):
    """A face that a fault draws: its crop, and a photo that shows it in its place, put there by the plainest means."""

    crop: np.ndarray


def forged(
    name: str, originals: Sequence[Original], crops: Sequence[np.ndarray], new: Sequence[np.ndarray]
) -> list[Forged]:
    """What the disguise `name` makes of all faces; somebody else's is the next one's."""
    others = [*crops[1:], crops[0]]
    return [
        _forged(name, original, DISGUISES[name](crop, other_new, other, _scale(original, crop)))
        for original, crop, other_new, other in zip(originals, crops, new, others, strict=True)
    ]


def _scale(original: Original, crop: np.ndarray) -> float:
    return len(crop) / float(np.linalg.norm(original.quad[1] - original.quad[0]))


def _forged(name: str, original: Original, crop: np.ndarray) -> Forged:
    drawn = np.ascontiguousarray(crop, dtype=np.uint8)
    size = len(drawn)
    corners = np.array([[0, 0], [0, size], [size, 0]], dtype=np.float32)
    matrix = cv2.getAffineTransform(corners, np.asarray(original.quad[[0, 1, 3]], dtype=np.float32))
    pixels = original.pixels.copy()
    cv2.warpAffine(drawn, matrix, pixels.shape[1::-1], dst=pixels, borderMode=cv2.BORDER_TRANSPARENT)
    return Forged(f"{original.name} {name}", original.photo, pixels, original.quad, drawn)
