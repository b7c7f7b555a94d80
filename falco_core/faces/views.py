"""The views of a photo that the finder looks at: the whole photo scaled down, and tiles of it as it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

WHOLE_SIDES = (400, 800, 1600)
"""Longer sides, pixels, of the views of the whole photo: CenterFace splits faces of more than about 500 pixels."""
TILE = 1600
"""Longest side of a tile, pixels: what the memory of a look is bounded by."""
OVERLAP = 320
"""Of neighbouring tiles, pixels: a face up to this size lies whole in one of them, larger ones in a whole view."""


@dataclass(frozen=True)
class View:
    """A picture uint8 [h, w, 3] of a part of the photo: photo position = position in it * scale + corner.

    `name` is the view's, `part` tells the tiles of one view apart. `inner` says which sides (left, top, right, bottom)
    of the picture lie inside the photo, so that a face there may be only a part of one.
    """

    name: str
    part: int
    pixels: np.ndarray
    scale: np.ndarray
    corner: np.ndarray
    inner: tuple[bool, bool, bool, bool] = (False, False, False, False)


def views_of(pixels: np.ndarray) -> Iterator[View]:
    """The views of a photo uint8 [H, W, 3], coarse ones first; each is made when it is asked for."""
    height, width = pixels.shape[:2]
    for longest in WHOLE_SIDES:
        side = min(longest, max(height, width))
        yield _whole(pixels, f"whole_{longest}", side)
        if side == max(height, width):
            return  # that was the photo as it is
    yield from _tiles(pixels)


def _whole(pixels: np.ndarray, name: str, side: int) -> View:
    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    smaller = pixels if size == (width, height) else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return View(name, 0, smaller, np.array([width / size[0], height / size[1]]), np.zeros(2))


def _tiles(pixels: np.ndarray) -> Iterator[View]:
    height, width = pixels.shape[:2]
    spots = [(x, y) for y in _starts(height) for x in _starts(width)]
    for part, (x, y) in enumerate(spots):
        tile = pixels[y : y + TILE, x : x + TILE]
        inner = (x > 0, y > 0, x + TILE < width, y + TILE < height)
        yield View("tiles", part, tile, np.ones(2), np.array([x, y], dtype=float), inner)


def _starts(length: int) -> list[int]:
    """Where tiles begin so that they cover a side evenly and overlap by OVERLAP or more."""
    if length <= TILE:
        return [0]
    count = -(-(length - OVERLAP) // (TILE - OVERLAP))
    return [round(k * (length - TILE) / (count - 1)) for k in range(count)]
