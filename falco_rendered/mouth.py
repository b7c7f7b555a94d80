"""Lips, the line between them, and what an open mouth shows, painted in face coordinates."""

from dataclasses import dataclass

import torch
from torch import Tensor

from falco_rendered.directions import bell, smooth_step
from falco_rendered.geometry import Features
from falco_rendered.palette import Palette, blend, rgb
from falco_rendered.parameters import Values


@dataclass(frozen=True)
class _Lips:
    """Heights [N, H, W] at each px: middle line, inner edges, thickness of both lips; `across` is 1 - u^2."""

    across: Tensor
    line: Tensor
    top: Tensor
    bottom: Tensor
    upper: Tensor
    lower: Tensor
    gap: Tensor
    inside: Tensor


def paint_mouth(
    v: Values, f: Features, p: Palette, colour: Tensor, *, px: Tensor, py: Tensor, front: Tensor
) -> tuple[Tensor, Tensor]:
    """Lay the mouth over the face; also the mask of the lips."""
    s = _lips(v, f, px=px, front=front)
    low = s.bottom - s.lower
    red = smooth_step(s.top + s.upper + 0.012, s.top + s.upper - 0.012, py) * smooth_step(low - 0.014, low + 0.014, py)
    red = red * s.inside
    rounded = 0.80 + 0.45 * bell((py - s.bottom + 0.5 * s.lower) / (0.55 * s.lower + 0.01))
    rounded = rounded * (1 - 0.22 * smooth_step(s.bottom, s.top + 0.03, py))
    colour = blend(colour, p.lips * rounded[:, None], 0.88 * red)
    # A soft shadow below the lower lip and the line between the lips, deepest in the corners.
    below = bell((py - low + 0.035) / 0.03) * bell(px / (0.6 * f.mouth_half)) * front
    slit = bell((py - 0.5 * (s.top + s.bottom)) / (0.011 + 0.004 * s.across.clamp(min=0))) * s.inside
    corner = 0.7 * bell((px.abs() - f.mouth_half) / 0.028) * bell((py - s.line) / 0.022) * front
    colour = colour * ((1 - 0.22 * below) * (1 - 0.72 * torch.maximum(slit, corner)))[:, None]
    return _open(f, s, colour, red, px=px, py=py)


def _lips(v: Values, f: Features, *, px: Tensor, front: Tensor) -> _Lips:
    u = px / f.mouth_half
    square = (u * u).clamp(max=1.2)
    line = f.mouth_y + (0.075 * f.smile - 0.012) * square + 0.012 * bell(px / 0.06)
    room = (1 - square).clamp(min=0)
    gap = f.gap * (room * (1.1 - 0.1 * square))
    bow = 1 - (0.22 + 0.10 * v.cupid_bow) * bell(px / 0.035) + 0.16 * bell((px.abs() - 0.07) / 0.045)
    upper = (0.062 + 0.026 * v.upper_lip - 0.012 * v.male) * (1 - 0.25 * f.smile) * room**0.8 * bow
    lower = (0.082 + 0.030 * v.lower_lip - 0.010 * v.male) * (1 - 0.15 * f.smile) * room**0.6
    inside = smooth_step(-0.12, 0.10, 1 - square) * front
    return _Lips(1 - square, line, line + 0.35 * gap, line - 0.65 * gap, upper, lower, gap, inside)


def _open(f: Features, s: _Lips, colour: Tensor, red: Tensor, *, px: Tensor, py: Tensor) -> tuple[Tensor, Tensor]:
    """The dark of an open mouth and the upper teeth."""
    hole = smooth_step(s.top + 0.006, s.top - 0.006, py) * smooth_step(s.bottom - 0.006, s.bottom + 0.006, py)
    hole = hole * smooth_step(0.01, 0.03, s.gap) * s.inside
    colour = blend(colour, rgb(colour, 0.055, 0.014, 0.014), hole)
    edge = s.top - (0.60 + 0.25 * f.smile) * s.gap
    teeth = smooth_step(edge - 0.008, edge + 0.010, py) * hole * bell(px / (0.85 * f.mouth_half))
    shade = 0.62 + 0.38 * smooth_step(s.top + 0.004, s.top - 0.02, py)
    return blend(colour, rgb(colour, 0.78, 0.74, 0.66) * shade[:, None], teeth), red * (1 - hole)
