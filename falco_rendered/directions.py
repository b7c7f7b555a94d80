"""Directions from the middle of the head: the map they live on and the small functions everything is drawn with.

Head coordinates: x to the right of the picture, y up, z towards the viewer, origin in the middle of the head
at eye level, unit 100 mm. The map of directions is stereographic (so small shapes keep their form) and denser in
the middle of the face. A face is laid out on an upright cylinder, its `paper`.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

_EDGE = 1.4  # map coordinate at the border of the map; directions beyond are seen from behind only

_PAPER = (0.80, 0.92)  # radii (x, z) of the upright cylinder on which a face is laid out


@dataclass(frozen=True)
class MapGrid:
    """Constants of a map with [M, M] cells: axis [M] (stereographic coordinate), direction x, y, z [M, M]."""

    axis: Tensor
    x: Tensor
    y: Tensor
    z: Tensor


@lru_cache(maxsize=8)
def map_grid(cells: int, device: torch.device) -> MapGrid:
    """The directions that the cells of a map stand for."""
    warped = torch.linspace(-_EDGE, _EDGE, cells, device=device)
    axis = warped / (2.0 - warped.abs())
    s, t = axis[None, :], axis[:, None]
    square = s * s + t * t
    return MapGrid(axis, 2 * s / (1 + square), 2 * t / (1 + square), (1 - square) / (1 + square))


def map_position(s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Stereographic coordinates to the position in the map, -1..1 from border to border."""
    return s * 2 / (_EDGE * (1 + s.abs())), t * 2 / (_EDGE * (1 + t.abs()))


def paper_point(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Where a direction pierces the cylinder on which faces are laid out: the x, y of features and paint."""
    scale = ((x / _PAPER[0]) ** 2 + (z / _PAPER[1]) ** 2 + 1e-4).rsqrt()
    return x * scale, y * scale


def paper_depth(x: Tensor) -> Tensor:
    """The z of the cylinder's front at x."""
    return _PAPER[1] * (1 - (x / _PAPER[0]) ** 2).clamp(min=0).sqrt()


def smooth_step(low: Tensor | float, high: Tensor | float, x: Tensor) -> Tensor:
    """0 below low, 1 above high, a cubic between."""
    share = ((x - low) / (high - low)).clamp(0, 1)
    return share * share * (3 - 2 * share)


def unit(vector: Tensor) -> Tensor:
    """Scale vectors [N, 3, H, W] to length 1 (several times faster than `normalize` over a middle axis)."""
    x, y, z = vector.unbind(1)
    return vector * (x * x + y * y + z * z + 1e-8).rsqrt()[:, None]


def bell(x: Tensor) -> Tensor:
    """exp(-x^2)."""
    return torch.exp(-x * x)
