"""The colours of people and clothes, and how colours are laid over each other.

Colours are linear RGB [N, 3, H, W] or [N, 3, 1, 1]; masks are [N, H, W] in 0..1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from falco_rendered.parameters import Values, hair_tone, iris_tone

_SKINS = ((84, 52, 38), (122, 78, 55), (176, 122, 90), (219, 170, 138), (238, 198, 174))
_HAIRS = ((24, 21, 21), (48, 33, 26), (92, 62, 40), (150, 104, 66), (218, 180, 128))
_IRISES = ((50, 30, 20), (96, 60, 32), (96, 104, 62), (92, 128, 150), (120, 160, 195))


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


def tint(hue: Tensor, amount: Tensor | float, light: Tensor) -> Tensor:
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
    clothes = tint(v.clothes_hue, 0.13 + 0.09 * v.clothes_tint, 0.18 + 0.60 * v.clothes_light)
    trim = tint(v.trim_hue, 0.12, 0.16 + 0.5 * v.trim_light)
    return Palette(*map(linear, (skin + warm, hair, _scale(_IRISES, iris_tone(v)), lips, clothes, trim)))


def rgb(like: Tensor, red: float, green: float, blue: float) -> Tensor:
    """A colour or a factor per channel, [1, 3, 1, 1]."""
    return like.new_tensor([red, green, blue])[None, :, None, None]
