"""Concealing a face that gets no new one: a mosaic or one colour over the whole head, too coarse to recognise.

A face is concealed for good: every pixel of the region becomes a mean of many, and nothing of a cell's inside stays.
"""

from enum import StrEnum

import numpy as np

from falco_core.faces.compose import Pasted

CELLS = 6
"""Cells across the head, at most: 6 x 8 colours say nothing that a recogniser can use (docs/finding.md)."""
SMALLEST_CELL = 4
"""Pixels: the head of a very small face gets fewer cells instead of smaller ones."""
HEAD = 1.5
"""Width and height of the head as multiples of the face's box: hair, ears and chin are inside."""


class Concealment(StrEnum):
    """What a face gets that gets no new one; `withhold`: nothing, its photo is withheld."""

    MOSAIC = "mosaic"
    SOLID = "solid"
    WITHHOLD = "withhold"


def conceal(pixels: np.ndarray, box: np.ndarray, how: Concealment) -> Pasted:
    """Conceal the head around a face.

    pixels: uint8 [H, W, 3]; box: the face's x0, y0, x1, y1, photo pixels, may reach beyond the photo. Outside of
    `region` not a bit changes.
    """
    if how is Concealment.WITHHOLD:
        raise ValueError("a face whose photo is withheld is not concealed")
    result, region = pixels.copy(), np.zeros(pixels.shape[:2], dtype=bool)
    centre, half = _head(box)
    across = max(1, min(CELLS, int(2 * half[0] / SMALLEST_CELL)))
    cell = max(2 * half[0] / across, 1.0)
    for rows, columns in _cells(centre, half, cell, pixels.shape):
        part = result[rows, columns]
        part[:] = part.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
        region[rows, columns] = True
    if how is Concealment.SOLID and region.any():
        result[region] = pixels[region].mean(axis=0).round().astype(np.uint8)
    return Pasted(result, region)


def _head(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half sizes [2] of the head around a face's box."""
    corners = np.asarray(box, dtype=np.float64).reshape(2, 2)
    half = np.maximum((corners[1] - corners[0]) / 2, 0.5) * HEAD
    # A head is never much narrower than high: boxes of profiles and of cut faces are.
    return corners.mean(axis=0), np.maximum(half, 0.75 * half.max())


def _cells(centre: np.ndarray, half: np.ndarray, cell: float, shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """The cells of a grid around `centre` that meet the head's ellipse and the photo."""
    height, width = shape[:2]
    down, across = (max(1, int(np.ceil(2 * half[axis] / cell - 1e-6))) for axis in (1, 0))
    left, top = centre - np.array([across, down]) * cell / 2
    edges_x = np.clip(np.round(left + cell * np.arange(across + 1)), 0, width).astype(int)
    edges_y = np.clip(np.round(top + cell * np.arange(down + 1)), 0, height).astype(int)
    found = []
    for row in range(down):
        for column in range(across):
            middle = np.array([column + 0.5, row + 0.5]) * cell + (left, top)
            # The corner nearest to the middle of the head: no part of the ellipse stays outside of the cells.
            nearest = np.maximum(np.abs(middle - centre) - cell / 2, 0.0) / half
            rows, columns = slice(edges_y[row], edges_y[row + 1]), slice(edges_x[column], edges_x[column + 1])
            if (nearest**2).sum() < 1.0 and rows.stop > rows.start and columns.stop > columns.start:
                found.append((rows, columns))
    return found
