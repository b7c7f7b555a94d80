"""The views of a photo that the finder looks at: the whole photo scaled down, tiles as it is, borders mirrored."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

WHOLE_SIDES = (400, 800, 1600)
"""Longer sides, pixels, of the views of the whole photo: CenterFace splits faces of more than about 500 pixels."""
APART = 1.4
"""A view of the whole photo is left out where the photo, or its tiles, are less than this much larger."""
BORDER = 0.1
"""Width of what is mirrored at the photo's border, over a view's longer side: it completes cut faces."""
TILE = 1600
"""Longest side of a tile, pixels: what the memory of a look is bounded by."""
OVERLAP = 320
"""Of neighbouring tiles, pixels: a face up to this size lies whole in one of them, larger ones in a whole view."""
DARK = 128
"""A photo whose 99th percentile of brightness lies below is looked at again, brightened."""


@dataclass(frozen=True)
class View:
    """A picture uint8 [h, w, 3] of a part of the photo: photo position = position in it * scale + corner.

    `name` is the view's, `part` tells the tiles of one view apart. `inner` says which sides (left, top, right, bottom)
    of the picture lie inside the photo, so that a face there may be only a part of one. `border` is the width, in
    pixels of the view, of what was mirrored along its other sides, 0 where nothing was.
    """

    name: str
    part: int
    pixels: np.ndarray
    scale: np.ndarray
    corner: np.ndarray
    inner: tuple[bool, bool, bool, bool] = (False, False, False, False)
    border: int = 0


def views_of(pixels: np.ndarray) -> Iterator[View]:
    """The views of a photo uint8 [H, W, 3], coarse ones first, mirrored ones last; made when they are asked for."""
    if pixels.size == 0:
        return
    yield from _plain_views(pixels)
    white = _white(pixels)
    if white >= DARK:
        yield from map(_mirrored, filter(_at_border, _plain_views(pixels)))
        return
    brighter = (np.arange(256) * (255 / max(white, 8.0))).clip(0, 255).round().astype(np.uint8)
    for mirror in (False, True):
        for view in _plain_views(pixels):
            bright = replace(view, name=f"bright_{view.name}", pixels=brighter[view.pixels])
            if not mirror:
                yield bright
            elif _at_border(view):
                yield _mirrored(bright)


def _plain_views(pixels: np.ndarray) -> Iterator[View]:
    longer = max(pixels.shape[:2])
    wholes = [side for side in WHOLE_SIDES if side * APART <= longer] or [longer]
    if longer <= TILE and longer not in wholes:
        wholes.append(longer)
    for side in wholes:
        yield _whole(pixels, f"whole_{side}" if side in WHOLE_SIDES else "whole", side)
    if longer > TILE:
        yield from _tiles(pixels)


def _whole(pixels: np.ndarray, name: str, side: int) -> View:
    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    smaller = pixels if size == (width, height) else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return View(name, 0, smaller, np.array([width / size[0], height / size[1]]), np.zeros(2))


def _at_border(view: View) -> bool:
    return not all(view.inner)


def _mirrored(view: View) -> View:
    border = round(BORDER * max(view.pixels.shape[:2]))
    left, top, right, bottom = (0 if inner else border for inner in view.inner)
    wider = cv2.copyMakeBorder(view.pixels, top, bottom, left, right, cv2.BORDER_REFLECT)
    corner = view.corner - np.array([left, top]) * view.scale
    return replace(view, name=f"mirrored_{view.name}", pixels=wider, corner=corner, border=border)


def _tiles(pixels: np.ndarray) -> Iterator[View]:
    height, width = pixels.shape[:2]
    spots = [(x, y) for y in _spans(height) for x in _spans(width)]
    for part, ((x0, x1), (y0, y1)) in enumerate(spots):
        inner = (x0 > 0, y0 > 0, x1 < width, y1 < height)
        yield View("tiles", part, pixels[y0:y1, x0:x1], np.ones(2), np.array([x0, y0], dtype=float), inner)


def _spans(length: int) -> list[tuple[int, int]]:
    """Where tiles begin and end: as few as cover a side, of one size, overlapping by OVERLAP."""
    if length <= TILE:
        return [(0, length)]
    count = -(-(length - OVERLAP) // (TILE - OVERLAP))
    size = -(-(length + (count - 1) * OVERLAP) // count)
    starts = [k * (length - size) // (count - 1) for k in range(count)]
    return [(start, start + size) for start in starts]


def _white(pixels: np.ndarray) -> float:
    """The 99th percentile of a photo's brightness, from about a thousand of its rows and columns."""
    step = tuple(max(1, side // 1000) for side in pixels.shape[:2])
    return float(np.percentile(pixels[:: step[0], :: step[1]], 99))
