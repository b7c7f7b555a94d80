"""Colours of the head: skin, eyes, brows, lips, beard, hair, painted as smooth masks in face coordinates.

Colours are linear RGB [N, 3, H, W] or [N, 3, 1, 1]; masks [N, H, W] in 0..1. `px`, `py` are the coordinates
of `paper_point`, the same in which the relief is laid out.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from falco_core.rendered.directions import bell, smooth_step
from falco_core.rendered.geometry import Features
from falco_core.rendered.parameters import Values, hair_tone, iris_tone

_SKINS = ((84, 52, 38), (122, 78, 55), (176, 122, 90), (219, 170, 138), (238, 198, 174))
_HAIRS = ((24, 21, 21), (48, 33, 26), (92, 62, 40), (150, 104, 66), (218, 180, 128))
_IRISES = ((50, 30, 20), (96, 60, 32), (96, 104, 62), (92, 128, 150), (120, 160, 195))


@dataclass(frozen=True)
class Paint:
    """Linear colour [N, 3, H, W]; shine, skin (how far light spreads), lit (what is bright by itself) [N, H, W]."""

    colour: Tensor
    shine: Tensor
    skin: Tensor
    wet: Tensor


@dataclass(frozen=True)
class Palette:
    """The colours of N people, linear, [N, 3, 1, 1] each."""

    skin: Tensor
    hair: Tensor
    iris: Tensor
    lips: Tensor
    clothes: Tensor
    trim: Tensor


def linear(colour: Tensor) -> Tensor:
    """Display values 0..1 to linear light."""
    return colour.clamp(0, 1) ** 2.2


def blend(below: Tensor, above: Tensor, mask: Tensor) -> Tensor:
    """Paint `above` over `below` where mask [N, H, W] is 1."""
    return below + (above - below) * mask[:, None]


def _scale(anchors: tuple[tuple[int, int, int], ...], share: Tensor) -> Tensor:
    """Display colour [N, 3, 1, 1] on a scale of anchor colours, share [N, 1, 1] in 0..1."""
    table = torch.tensor(anchors, device=share.device, dtype=share.dtype) / 255
    place = share.flatten().clamp(0, 0.999) * (len(anchors) - 1)
    low = place.long()
    return torch.lerp(table[low], table[low + 1], (place - low)[:, None])[:, :, None, None]


def _tint(hue: Tensor, amount: Tensor | float, light: Tensor) -> Tensor:
    """A display colour of some lightness; hue in half turns: [N, 3, 1, 1]."""
    turns = torch.stack([hue, hue - 2 / 3, hue + 2 / 3], 1) * torch.pi
    return light[:, None] + amount_planes(amount) * torch.cos(turns)


def amount_planes(amount: Tensor | float) -> Tensor | float:
    """Make [N, 1, 1] fit for colours [N, 3, 1, 1]."""
    return amount[:, None] if isinstance(amount, Tensor) else amount


def palette_of(v: Values) -> Palette:
    """Mix the colours of people and clothes; they read fine parameters only."""
    skin = _scale(_SKINS, v.skin_tone)
    warm = skin.new_tensor([0.012, -0.004, -0.022])[None, :, None, None] * v.skin_warmth[:, None]
    hair = _scale(_HAIRS, hair_tone(v))
    red = hair * skin.new_tensor([0.13, -0.05, -0.22])[None, :, None, None] * (0.35 + 0.65 * v.hair_warmth[:, None])
    gray = 0.62 + 0.16 * v.hair_tone[:, None] + 0 * hair
    hair = hair + red
    hair = hair + v.gray_hair[:, None] * (gray - hair)
    natural = skin * skin.new_tensor([0.86, 0.66, 0.66])[None, :, None, None]
    natural = natural + skin.new_tensor([0.05, -0.02, 0.0])[None, :, None, None] * v.lip_tone[:, None]
    red_lips = skin.new_tensor([0.66, 0.13, 0.20])[None, :, None, None] * (0.82 + 0.18 * v.lip_tone[:, None])
    lips = natural + 0.85 * v.lipstick[:, None] * (red_lips - natural)
    clothes = _tint(v.clothes_hue, 0.13 + 0.09 * v.clothes_tint, 0.18 + 0.60 * v.clothes_light)
    trim = _tint(v.trim_hue, 0.12, 0.16 + 0.5 * v.trim_light)
    return Palette(*map(linear, (skin + warm, hair, _scale(_IRISES, iris_tone(v)), lips, clothes, trim)))


def paint_head(v: Values, f: Features, p: Palette, *, px: Tensor, py: Tensor, front: Tensor) -> Paint:
    """Colour of the skin of the face with everything on it; `front` 0..1 is where the face looks forward."""
    ax = px.abs()
    colour, blush = _skin(v, f, p, px=px, py=py, ax=ax)
    stubble, beard = beard_masks(v, f, px=px, py=py)
    colour = blend(colour, p.hair * 0.6 + 0.02, 0.22 * stubble * front)
    colour = blend(colour, p.hair * 0.70, 0.95 * beard * front)
    colour, lips = _mouth(v, f, p, colour, px=px, py=py, front=front)
    colour, brow = _brows(v, f, p, colour, ax=ax, py=py, front=front)
    colour, eye = _eyes(v, f, p, colour, px=px, py=py, ax=ax, front=front)
    oil = bell((px) / 0.12) * smooth_step(-0.55, -0.3, py) + 0.6 * bell((ax - 0.42) / 0.2) * bell((py + 0.2) / 0.2)
    shine = (0.22 + 0.22 * oil) * (1 - beard) * (1 - brow) + 0.25 * lips * (1 + v.lipstick)
    return Paint(colour, shine * (1 - eye), (1 - beard) * (1 - eye), eye)


def _skin(v: Values, f: Features, p: Palette, *, px: Tensor, py: Tensor, ax: Tensor) -> tuple[Tensor, Tensor]:
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
    lines = lines * bell(px / 0.38) * 0.26 * (v.age - 0.45).clamp(min=0)
    crow = bell((ax - f.eye_x - 0.215) / 0.05) * (0.5 + 0.5 * torch.cos(95 * (py + 0.01))) * bell(py / 0.09)
    crow = crow * 0.45 * ((v.age - 0.35).clamp(min=0) + 0.25 * f.smile)
    groove = bell((ax - 0.14 - 0.03 * v.nose_width) / 0.02) * bell((py - f.nose_y + 0.01) / 0.06) * 0.25
    nostril = bell((ax - 0.068 - 0.012 * v.nose_width) / 0.040) * bell((py - f.nose_y + 0.080) / 0.024)
    dark = (1 - lids) * (1 - fold) * (1 - lines) * (1 - crow) * (1 - groove)
    red = dark[:, None] ** dark.new_tensor([0.75, 1.0, 1.05])[None, :, None, None]
    colour = colour * red * (1 - 0.85 * nostril.clamp(max=1))[:, None]
    return colour, blush


def beard_masks(v: Values, f: Features, *, px: Tensor, py: Tensor) -> tuple[Tensor, Tensor]:
    """Where a shaved beard shows and where a beard or moustache grows, two [N, H, W]."""
    ax = px.abs()
    m, lips = f.mouth_half, f.mouth_y
    edge = lips + 0.06 + 0.95 * (ax - m - 0.02).clamp(min=0) + 0.25 * smooth_step(0.45, 0.72, ax)
    edge = edge - 0.10 * bell(ax / 0.16)
    cheeks = smooth_step(edge + 0.03, edge - 0.05, py) * smooth_step(-1.55, -1.30, py) * smooth_step(0.765, 0.71, ax)
    around = 1 - bell(ax / (m * 0.95)) * bell((py - lips + 0.03) / 0.085)
    above = bell(ax / (m * 1.05)) * bell((py - lips - 0.115) / 0.052)
    above = above * smooth_step(f.nose_y - 0.08, f.nose_y - 0.13, py)
    fuzz = (cheeks * around).clamp(0, 1)
    lip = (above * 1.5).clamp(0, 1)
    stubble = v.male * torch.maximum(fuzz, lip)
    beard = v.male * torch.maximum(v.beard * fuzz, torch.maximum(v.mustache, v.beard * 0.8) * lip)
    return stubble, beard


def _mouth(
    v: Values, f: Features, p: Palette, colour: Tensor, *, px: Tensor, py: Tensor, front: Tensor
) -> tuple[Tensor, Tensor]:
    m, u = f.mouth_half, px / f.mouth_half
    square = (u * u).clamp(max=1.2)
    line = f.mouth_y + (0.075 * f.smile - 0.012) * square + 0.012 * bell(px / 0.06)
    room = (1 - square).clamp(min=0)
    gap = f.gap * (room * (1.1 - 0.1 * square))
    top, bottom = line + 0.35 * gap, line - 0.65 * gap
    bow = 1 - (0.22 + 0.10 * v.cupid_bow) * bell(px / 0.035) + 0.16 * bell((px.abs() - 0.07) / 0.045)
    upper = (0.062 + 0.026 * v.upper_lip - 0.012 * v.male) * (1 - 0.25 * f.smile) * room**0.8 * bow
    lower = (0.082 + 0.030 * v.lower_lip - 0.010 * v.male) * (1 - 0.15 * f.smile) * room**0.6
    inside = smooth_step(-0.12, 0.10, 1 - square) * front
    red = smooth_step(top + upper + 0.012, top + upper - 0.012, py) * smooth_step(
        bottom - lower - 0.014, bottom - lower + 0.014, py
    )
    red = red * inside
    round_ = 0.80 + 0.45 * bell((py - bottom + 0.5 * lower) / (0.55 * lower + 0.01))
    round_ = round_ * (1 - 0.22 * smooth_step(bottom, top + 0.03, py))
    colour = blend(colour, p.lips * round_[:, None], 0.88 * red)
    # A soft shadow below the lower lip, the line between the lips, or the open mouth with teeth.
    below = bell((py - bottom + lower + 0.035) / 0.03) * bell(px / (0.6 * m)) * front
    colour = colour * (1 - 0.22 * below)[:, None]
    slit = bell((py - 0.5 * (top + bottom)) / (0.011 + 0.004 * (1 - square).clamp(min=0))) * inside
    slit = torch.maximum(slit, 0.7 * bell((px.abs() - m) / 0.028) * bell((py - line) / 0.022) * front)
    colour = colour * (1 - 0.72 * slit)[:, None]
    hole = smooth_step(top + 0.006, top - 0.006, py) * smooth_step(bottom - 0.006, bottom + 0.006, py)
    hole = hole * smooth_step(0.01, 0.03, gap) * inside
    colour = blend(colour, colour.new_tensor([0.055, 0.014, 0.014])[None, :, None, None], hole)
    edge = top - (0.60 + 0.25 * f.smile) * gap
    teeth = smooth_step(edge - 0.008, edge + 0.010, py) * hole * bell(px / (0.85 * m))
    ivory = colour.new_tensor([0.78, 0.74, 0.66])[None, :, None, None]
    shade = 0.62 + 0.38 * smooth_step(top + 0.004, top - 0.02, py)
    return blend(colour, ivory * shade[:, None], teeth), red * (1 - hole)


def _brows(
    v: Values, f: Features, p: Palette, colour: Tensor, *, ax: Tensor, py: Tensor, front: Tensor
) -> tuple[Tensor, Tensor]:
    inner, outer = 0.125, 0.505
    along = ((ax - inner) / (outer - inner)).clamp(-0.3, 1.3)
    centre = f.brow_y - 0.030 + (0.065 + 0.030 * v.brow_arch) * torch.sin(2.3 * along.clamp(0, 1.2) + 0.1)
    centre = centre + 0.07 * v.brow_tilt * (along - 0.4) - 0.045 * (along - 0.75).clamp(min=0)
    thick = (0.025 + 0.011 * v.brow_thickness + 0.012 * v.male) * (1.12 - 0.75 * along.clamp(0, 1) ** 1.6)
    soft = 0.013
    strip = smooth_step(thick + soft, thick - soft, (py - centre).abs())
    strip = strip * smooth_step(-0.06, 0.12, along) * smooth_step(1.08, 0.90, along) * front
    strength = 0.80 + 0.10 * v.brow_thickness
    return blend(colour, p.hair * 0.45 + 0.012, strength * strip), strip


def _eyes(
    v: Values, f: Features, p: Palette, colour: Tensor, *, px: Tensor, py: Tensor, ax: Tensor, front: Tensor
) -> tuple[Tensor, Tensor]:
    dx = ax - f.eye_x
    half = 0.166 + 0.016 * v.eye_size
    tilt = 0.10 + 0.14 * v.eye_tilt
    dy = py - tilt * dx
    u = (dx / half).clamp(-1.25, 1.25)
    room = (1 - u * u).clamp(min=0)
    openness = (1 - 0.22 * v.squint - 0.20 * f.smile) * (1 + 0.12 * v.eye_size) * (1 - 0.14 * v.male)
    upper = (0.082 + 0.013 * v.eye_lid) * openness * room ** (0.62) * (1 - 0.12 * u)
    lower = -(0.054 - 0.012 * f.smile) * openness * room**0.85 * (1 + 0.12 * u)
    soft = 0.007
    opened = smooth_step(upper + soft, upper - soft, dy) * smooth_step(lower - soft, lower + soft, dy)
    opened = opened * smooth_step(1.02, 0.93, u.abs()) * front
    # Make-up and shadow of the lids, crease.
    lid = (
        smooth_step(upper - 0.01, upper + 0.02, dy)
        * smooth_step(upper + 0.13, upper + 0.03, dy)
        * smooth_step(1.3, 0.8, u.abs())
    )
    shadow = p.skin * p.skin.new_tensor([0.52, 0.40, 0.50])[None, :, None, None]
    colour = blend(colour, shadow, (0.10 + 0.62 * v.makeup) * lid * front)
    crease = bell((dy - upper - 0.042 - 0.012 * v.eye_lid) / 0.014) * smooth_step(1.15, 0.75, u.abs()) * front
    colour = colour * (1 - 0.38 * crease)[:, None]
    # Eyeball: white, iris with a dark rim, pupil, the light in it; the upper lid shades it.
    white = colour.new_tensor([0.74, 0.70, 0.66])[None, :, None, None]
    corner = 1 - 0.35 * (u * u)
    ball = white * corner[:, None]
    gx = px - torch.sign(px) * f.eye_x - 0.035 * v.gaze_side
    gy = py - 0.008 - 0.018 * v.gaze_height
    r = (gx * gx + gy * gy + 1e-6).sqrt()
    size = 0.070
    iris = smooth_step(size + 0.008, size - 0.008, r)
    rim = smooth_step(0.6 * size, size, r)
    glow = 0.75 + 0.75 * smooth_step(0.03, -0.05, gy)
    ball = blend(ball, 0.8 * p.iris * (glow * (1 - 0.6 * rim))[:, None], iris)
    ball = ball * (1 - 0.96 * smooth_step(0.034, 0.024, r))[:, None]
    shade = 0.45 + 0.55 * smooth_step(upper, upper - 0.05, dy)
    ball = ball * shade[:, None]
    spark = bell((gx - 0.022) / 0.013) * bell((gy - 0.026) / 0.013) * smooth_step(upper + 0.01, upper - 0.01, dy)
    ball = ball + 0.75 * spark[:, None]
    colour = blend(colour, ball, opened)
    lash = bell((dy - upper) / (0.013 + 0.005 * (1 - v.male))) * smooth_step(1.12, 0.9, u.abs())
    lash = lash * (0.72 + 0.08 * u) * front
    under = 0.32 * bell((dy - lower) / 0.010) * smooth_step(1.1, 0.85, u.abs()) * front
    colour = colour * (1 - torch.maximum(lash, under))[:, None]
    return colour, opened
