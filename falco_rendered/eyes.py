"""Eyes and brows, painted in face coordinates."""

from dataclasses import dataclass

import torch
from torch import Tensor

from falco_rendered.directions import bell, smooth_step
from falco_rendered.geometry import Features
from falco_rendered.palette import Palette, blend, rgb
from falco_rendered.parameters import Values

_IRIS, _PUPIL = 0.070, 0.029  # radii, a tenth larger than in life


@dataclass(frozen=True)
class _Lids:
    """Both eyes at once: u -1..1 from corner to corner, height over the eye's axis, edges of the lids, opening."""

    u: Tensor
    height: Tensor
    upper: Tensor
    lower: Tensor
    opened: Tensor


def paint_brows(
    v: Values, f: Features, p: Palette, colour: Tensor, *, ax: Tensor, py: Tensor, front: Tensor
) -> tuple[Tensor, Tensor]:
    """Lay the brows over the face; also their mask. `ax` is |px|: both sides are equal."""
    inner, outer = 0.125, 0.505
    along = ((ax - inner) / (outer - inner)).clamp(-0.3, 1.3)
    centre = f.brow_y - 0.030 + (0.065 + 0.030 * v.brow_arch) * torch.sin(2.3 * along.clamp(0, 1.2) + 0.1)
    centre = centre + 0.07 * v.brow_tilt * (along - 0.4) - 0.045 * (along - 0.75).clamp(min=0)
    thick = (0.025 + 0.011 * v.brow_thickness + 0.012 * v.male) * (1.12 - 0.75 * along.clamp(0, 1) ** 1.6)
    strip = smooth_step(thick + 0.013, thick - 0.013, (py - centre).abs())
    strip = strip * smooth_step(-0.06, 0.12, along) * smooth_step(1.08, 0.90, along) * front
    return blend(colour, p.hair * 0.45 + 0.012, (0.80 + 0.10 * v.brow_thickness) * strip), strip


def paint_eyes(
    v: Values, f: Features, p: Palette, colour: Tensor, *, px: Tensor, py: Tensor, ax: Tensor, front: Tensor
) -> tuple[Tensor, Tensor]:
    """Lay lids, eyeballs and lashes over the face; also the mask of the eyeballs."""
    lids = _lids(v, f, ax=ax, py=py, front=front)
    u, above = lids.u.abs(), lids.height - lids.upper
    lid = smooth_step(-0.01, 0.02, above) * smooth_step(0.13, 0.03, above) * smooth_step(1.3, 0.8, u)
    colour = blend(colour, p.skin * rgb(colour, 0.52, 0.40, 0.50), (0.10 + 0.62 * v.makeup) * lid * front)
    crease = bell((above - 0.042 - 0.012 * v.eye_lid) / 0.014) * smooth_step(1.15, 0.75, u) * front
    colour = colour * (1 - 0.38 * crease)[:, None]
    colour = blend(colour, _eyeball(v, f, p, lids, px=px, py=py), lids.opened)
    lash = bell(above / (0.013 + 0.005 * (1 - v.male))) * smooth_step(1.12, 0.9, u) * (0.72 + 0.08 * lids.u)
    under = 0.32 * bell((lids.height - lids.lower) / 0.010) * smooth_step(1.1, 0.85, u)
    return colour * (1 - torch.maximum(lash, under) * front)[:, None], lids.opened


def _lids(v: Values, f: Features, *, ax: Tensor, py: Tensor, front: Tensor) -> _Lids:
    dx = ax - f.eye_x
    height = py - (0.10 + 0.14 * v.eye_tilt) * dx
    u = (dx / (0.166 + 0.016 * v.eye_size)).clamp(-1.25, 1.25)
    room = (1 - u * u).clamp(min=0)
    openness = (1 - 0.22 * v.squint - 0.20 * f.smile) * (1 + 0.12 * v.eye_size) * (1 - 0.14 * v.male)
    upper = (0.082 + 0.013 * v.eye_lid) * openness * room**0.62 * (1 - 0.12 * u)
    lower = -(0.054 - 0.012 * f.smile) * openness * room**0.85 * (1 + 0.12 * u)
    # Closed lids meet near the lower one.
    upper = upper + v.eyes_closed * (0.9 * lower - upper)
    opened = smooth_step(0.007, -0.007, height - upper) * smooth_step(-0.007, 0.007, height - lower)
    return _Lids(u, height, upper, lower, opened * smooth_step(1.02, 0.93, u.abs()) * front)


def _eyeball(v: Values, f: Features, p: Palette, lids: _Lids, *, px: Tensor, py: Tensor) -> Tensor:
    """White, iris with a dark rim, pupil, and the light in it; the upper lid shades it."""
    ball = rgb(px, 0.74, 0.70, 0.66) * (1 - 0.35 * lids.u**2)[:, None]
    gx = px - torch.sign(px) * f.eye_x - 0.035 * v.gaze_side
    gy = py - 0.008 - 0.018 * v.gaze_height
    r = (gx * gx + gy * gy + 1e-6).sqrt()
    glow = (0.75 + 0.75 * smooth_step(0.03, -0.05, gy)) * (1 - 0.6 * smooth_step(0.6 * _IRIS, _IRIS, r))
    ball = blend(ball, 0.8 * p.iris * glow[:, None], smooth_step(_IRIS + 0.008, _IRIS - 0.008, r))
    ball = ball * (1 - 0.96 * smooth_step(_PUPIL + 0.005, _PUPIL - 0.005, r))[:, None]
    above = lids.height - lids.upper
    ball = ball * (0.45 + 0.55 * smooth_step(0.0, -0.05, above))[:, None]
    spark = bell((gx - 0.022) / 0.013) * bell((gy - 0.026) / 0.013) * smooth_step(0.01, -0.01, above)
    return ball + 0.75 * spark[:, None]
