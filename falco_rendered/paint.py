"""The head's own colours, painted as smooth masks in face coordinates: skin and beard here, then mouth and eyes.

`px`, `py` [N, H, W] are the coordinates of `paper_point`, the same in which the relief is laid out.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from falco_rendered.directions import bell, smooth_step
from falco_rendered.eyes import paint_brows, paint_eyes
from falco_rendered.geometry import Features
from falco_rendered.mouth import paint_mouth
from falco_rendered.palette import Palette, blend
from falco_rendered.parameters import Values


@dataclass(frozen=True)
class Paint:
    """Linear colour [N, 3, H, W]; shine, skin (how far light spreads), lit (what is bright by itself) [N, H, W]."""

    colour: Tensor
    shine: Tensor
    skin: Tensor
    wet: Tensor


def paint_head(v: Values, f: Features, p: Palette, *, px: Tensor, py: Tensor, front: Tensor) -> Paint:
    """Colour of the skin of the face with everything on it; `front` 0..1 is where the face looks forward."""
    ax = px.abs()
    colour = _skin(v, f, p, px=px, py=py, ax=ax)
    stubble, beard = beard_masks(v, f, px=px, py=py)
    colour = blend(colour, p.hair * 0.6 + 0.02, 0.22 * stubble * front)
    colour = blend(colour, p.hair * 0.70, (0.89 + 0.09 * v.beard_density) * beard * front)
    colour, lips = paint_mouth(v, f, p, colour, px=px, py=py, front=front)
    colour, brow = paint_brows(v, f, p, colour, ax=ax, py=py, front=front)
    colour, eye = paint_eyes(v, f, p, colour, px=px, py=py, ax=ax, front=front)
    oil = bell((px) / 0.12) * smooth_step(-0.55, -0.3, py) + 0.6 * bell((ax - 0.42) / 0.2) * bell((py + 0.2) / 0.2)
    shine = (0.22 + 0.22 * oil) * (1 - beard) * (1 - brow) + 0.25 * lips * (1 + v.lipstick)
    return Paint(colour, shine * (1 - eye), (1 - beard) * (1 - eye), eye)


def _skin(v: Values, f: Features, p: Palette, *, px: Tensor, py: Tensor, ax: Tensor) -> Tensor:
    blush = bell((ax - 0.40) / 0.20) * bell((py + 0.30) / 0.18) * (0.18 + 0.55 * v.rosy_cheeks + 0.25 * v.makeup)
    blush = blush + 0.22 * bell(px / 0.13) * bell((py - f.nose_y) / 0.11)
    flush = p.skin * p.skin.new_tensor([1.06, 0.66, 0.66])[None, :, None, None]
    colour = blend(p.skin.expand(-1, -1, *px.shape[-2:]), flush, blush)
    # Darker: under the eyes, in the socket beside the nose, the nostrils, folds of age and of a smile.
    lids = bell((ax - f.eye_x) / 0.17) * bell((py + 0.105) / 0.045) * (0.10 + 0.20 * v.age)
    fold_x = 0.165 + 0.55 * (f.nose_y + 0.02 - py).clamp(min=0) + 0.03 * f.smile
    fold = bell((ax - fold_x) / 0.025) * bell((py - 0.5 * (f.nose_y + f.mouth_y)) / 0.14)
    fold = fold * (0.04 + 0.40 * v.age + 0.30 * f.smile)
    lines = sum(bell((py - f.brow_y - up - 0.02 * ax) / 0.014) for up in (0.15, 0.23, 0.31))
    lines = lines * bell(px / 0.38) * 0.45 * (v.age - 0.45).clamp(min=0)
    crow = bell((ax - f.eye_x - 0.215) / 0.05) * (0.5 + 0.5 * torch.cos(95 * (py + 0.01))) * bell(py / 0.09)
    crow = crow * 0.60 * ((v.age - 0.35).clamp(min=0) + 0.25 * f.smile)
    groove = bell((ax - 0.14 - 0.03 * v.nose_width) / 0.02) * bell((py - f.nose_y + 0.01) / 0.06) * 0.25
    nostril = bell((ax - 0.068 - 0.012 * v.nose_width) / 0.040) * bell((py - f.nose_y + 0.080) / 0.024)
    dark = (1 - lids) * (1 - fold) * (1 - lines) * (1 - crow) * (1 - groove)
    red = dark[:, None] ** dark.new_tensor([0.75, 1.0, 1.05])[None, :, None, None]
    colour = colour * red * (1 - 0.85 * nostril.clamp(max=1))[:, None]
    return colour


def beard_masks(v: Values, f: Features, *, px: Tensor, py: Tensor) -> tuple[Tensor, Tensor]:
    """Where a shaved beard shows and where a beard or moustache grows, two [N, H, W]."""
    ax = px.abs()
    m, lips = f.mouth_half, f.mouth_y
    edge = lips + 0.06 + 0.95 * (ax - m - 0.02).clamp(min=0) + 0.25 * smooth_step(0.45, 0.72, ax)
    edge = edge - 0.10 * bell(ax / 0.16)
    cheeks = smooth_step(edge + 0.09, edge - 0.12, py) * smooth_step(-1.55, -1.30, py) * smooth_step(0.765, 0.71, ax)
    around = 1 - bell(ax / (m * 0.95)) * bell((py - lips + 0.03) / 0.085)
    above = bell(ax / (m * 1.05)) * bell((py - lips - 0.115) / 0.052)
    above = above * smooth_step(f.nose_y - 0.08, f.nose_y - 0.13, py)
    fuzz = (cheeks * around).clamp(0, 1)
    lip = (above * 1.5).clamp(0, 1)
    stubble = v.male * torch.maximum(fuzz, lip)
    beard = v.male * torch.maximum(v.beard * fuzz, torch.maximum(v.mustache, v.beard * 0.8) * lip)
    return stubble, beard
