"""Which part of a photo, or of an aligned crop, is the face: what compose replaces and what losses look at."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

# The face oval in units of the distances between the landmarks. Generous: it must cover brows, cheeks and chin of
# every face, since whatever lies outside of it stays the original.
HALF_WIDTH_EYES = 1.05
HALF_WIDTH_HEIGHT = 0.88
ABOVE_EYES = 0.82
BELOW_MOUTH = 0.92
"""A laughing mouth's corners are far above its chin."""
TURN_WIDENS = 0.5
TURN_SHIFTS = 0.6
"""Per offset of the nose: a turned face shows more cheek and jaw behind the eyes, and its nose still lies inside."""
# Squarer than an ellipse, for jaws.
EXPONENT = 2.4

ALIGNED_LANDMARKS = np.array([[0.375, 0.472], [0.625, 0.472], [0.5, 0.611], [0.4, 0.75], [0.6, 0.75]])
"""Where an upright frontal face's landmarks lie in its aligned crop, as shares of the side (`align.crop_quad`)."""
RIM = 1.1
"""How far beyond the aligned oval the losses look fully: faces differ, and the blend reaches a little outside."""
FALLS_OVER = 0.25
"""Share of the rim's size over which the weight falls to OUTSIDE."""
OUTSIDE = 0.02
"""Enough to keep hair and background from running wild, too little to cost anything."""


@dataclass(frozen=True)
class Oval:
    """The face's outline in the photo: centre and axes [2] as unit vectors, half sizes in pixels."""

    centre: np.ndarray
    across: np.ndarray
    down: np.ndarray
    half_width: float
    up_size: float
    down_size: float

    def distance(self, positions: np.ndarray) -> np.ndarray:
        """positions [h, w, 2] -> [h, w]: 0 at the centre, 1 on the outline."""
        offset = positions - self.centre
        x = np.abs(offset @ self.across) / self.half_width
        y = offset @ self.down
        y = np.where(y < 0, -y / self.up_size, y / self.down_size)
        distance: np.ndarray = (x**EXPONENT + y**EXPONENT) ** (1 / EXPONENT)
        return distance


def face_oval(landmarks: np.ndarray) -> Oval:
    """The oval that covers the face of landmarks [5, 2], from above the brows to below the chin."""
    points = np.asarray(landmarks, dtype=np.float64)
    eye, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    height = max(float(np.hypot(*(mouth - eye))), 1e-6)
    width = float(np.hypot(*(points[1] - points[0])))
    down = (mouth - eye) / height
    across = np.array([down[1], -down[0]])
    # On a turned face the eyes move together, so the height decides; the nose says to which side it is turned.
    turned = float((points[2] - (eye + mouth) / 2) @ across)
    centre = (eye + mouth) / 2 - TURN_SHIFTS * turned * across
    return Oval(
        centre=centre,
        across=across,
        down=down,
        half_width=max(HALF_WIDTH_EYES * width, HALF_WIDTH_HEIGHT * height + TURN_WIDENS * abs(turned)),
        up_size=(0.5 + ABOVE_EYES) * height,
        down_size=(0.5 + BELOW_MOUTH) * height,
    )


def oval_mask(oval: Oval, positions: np.ndarray, feather: float) -> np.ndarray:
    """1 inside the oval, smoothly to 0 over `feather` pixels outside of it: [h, w]."""
    nearest = min(oval.half_width, oval.up_size, oval.down_size)
    way = np.clip((oval.distance(positions) - 1.0) * nearest / max(feather, 1e-6), 0.0, 1.0)
    return (1.0 - way * way * (3.0 - 2.0 * way)).astype(np.float32)


@cache
def aligned_weights(size: int) -> Tensor:
    """Loss weights [1, 1, size, size] of an aligned crop's pixels: 1 in the face and its rim, OUTSIDE beyond."""
    places = (np.arange(size) + 0.5) / size
    positions = np.stack(np.meshgrid(places, places), axis=-1)
    beyond = (face_oval(ALIGNED_LANDMARKS).distance(positions) / RIM - 1.0) / FALLS_OVER
    weights = 1.0 - (1.0 - OUTSIDE) * np.clip(beyond, 0.0, 1.0)
    return torch.from_numpy(weights).float()[None, None]
