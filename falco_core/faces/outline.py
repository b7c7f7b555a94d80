"""A face's outline as a face has one: smooth, and below the mouth it only gets narrower."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from falco_core.faces.mask import Oval

RAYS = 180
"""From the oval's centre, at equal angles."""
STEPS, REACH = 96, 1.6
"""Samples of a ray, and how far it goes, as a multiple of the oval."""
DENT, TOOTH = 7, 4
"""Rays on each side: a narrower dent (a temple, a lock of hair) is filled, a narrower tooth is cut off."""
BLUR = 2.0
"""Standard deviation, in rays, over which the outline is smoothed."""


def smoothed(found: np.ndarray, oval: "Oval", mouth: np.ndarray) -> np.ndarray:
    """What was found of a face, bool [S, S], with a smooth outline around the oval's centre.

    mouth: [2], between its corners: below it neck and hair on both sides are cut off.
    """
    angles = (np.arange(RAYS) + 0.5) / RAYS * 2 * np.pi
    # Angle 0 points down, so that both sides of the jaw lie around it.
    beside, below = np.sin(angles) * oval.half_width, np.cos(angles)
    below = below * np.where(below < 0, oval.up_size, oval.down_size)
    ways = beside[:, None] * oval.across + below[:, None] * oval.down
    shares = (np.arange(STEPS) + 0.5) / STEPS * REACH
    places = (oval.centre + shares[None, :, None] * ways[:, None] - 0.5).astype(np.float32)
    seen = cv2.remap(found.astype(np.float32), places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    reach = _without_teeth(seen.sum(axis=1) / STEPS * REACH)
    reach = _narrowing(reach, beside, below, float((mouth - oval.centre) @ oval.down))
    reach = _ring(reach, lambda line: cv2.GaussianBlur(line, (0, 0), BLUR))
    return _filled(reach, oval, len(found))


def _without_teeth(reach: np.ndarray) -> np.ndarray:
    """The reach of all rays [RAYS] without narrow dents and teeth."""
    dent, tooth = (np.ones((1, 2 * width + 1), dtype=np.uint8) for width in (DENT, TOOTH))
    reach = _ring(reach, lambda line: cv2.morphologyEx(line, cv2.MORPH_CLOSE, dent))
    return _ring(reach, lambda line: cv2.morphologyEx(line, cv2.MORPH_OPEN, tooth))


def _ring(reach: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A change of a line [1, N] applied to a closed one [N]."""
    line = np.concatenate([reach, reach, reach])[None].astype(np.float32)
    return np.asarray(change(line)[0, len(reach) : 2 * len(reach)])


def _narrowing(reach: np.ndarray, beside: np.ndarray, below: np.ndarray, mouth: float) -> np.ndarray:
    """The reach of all rays, cut off where the outline gets wider below the mouth."""
    result = reach.copy()
    half = len(reach) // 2
    for rays in (np.arange(half)[::-1], np.arange(half, len(reach))):
        widest = np.inf
        for ray in rays:
            if result[ray] * below[ray] < mouth:
                continue
            wide = max(abs(float(beside[ray])), 1e-6)
            result[ray] = min(result[ray], widest / wide)
            widest = min(widest, result[ray] * wide)
    return result


def _filled(reach: np.ndarray, oval: "Oval", size: int) -> np.ndarray:
    """What lies within the reach of all rays [RAYS]: bool [size, size]."""
    y, x = np.mgrid[0:size, 0:size] + 0.5
    offset = np.stack([x, y], axis=-1) - oval.centre
    beside, below = offset @ oval.across / oval.half_width, offset @ oval.down
    below = below / np.where(below < 0, oval.up_size, oval.down_size)
    ray = (np.arctan2(beside, below) / (2 * np.pi) % 1.0) * len(reach) - 0.5
    limit = np.interp(ray, np.arange(-1, len(reach) + 1), np.concatenate([reach[-1:], reach, reach[:1]]))
    return np.asarray(np.hypot(beside, below) < limit)
