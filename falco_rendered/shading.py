"""Light on a picture: wrapped diffuse light of one lamp and the sky, shine, soft shadows and occlusion."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from falco_rendered.directions import unit
from falco_rendered.parameters import Values


@dataclass(frozen=True)
class Surface:
    """What is seen at each pixel: colour [N, 3, H, W], normal [N, 3, H, W], the rest [N, H, W]."""

    colour: Tensor
    normal: Tensor
    depth: Tensor
    shine: Tensor
    skin: Tensor
    wet: Tensor
    hair: Tensor
    strand: Tensor
    cover: Tensor


def light_direction(v: Values) -> Tensor:
    """Unit vector to the lamp in camera coordinates [N, 3, 1, 1]."""
    side, height = 0.75 * v.light_side, 0.42 + 0.30 * v.light_height
    return unit(torch.stack([side, height, 0.75 + 0 * side], 1))


def _occlusion(depth: Tensor, cover: Tensor, *, unit: float) -> Tensor:
    """How much of the sky is hidden, from how far a point lies behind its surroundings: [N, H, W]."""
    hidden = torch.zeros_like(depth)
    both = torch.stack([depth * cover, cover], 1)
    for reach, weight, thin in ((0.07, 2.4, 2), (0.22, 1.0, 4)):
        width = max(1, round(reach * unit / thin)) * 2 + 1
        mean = functional.avg_pool2d(both, thin)
        for _ in range(2):
            mean = functional.avg_pool2d(mean, width, stride=1, padding=width // 2, count_include_pad=False)
        mean = functional.interpolate(mean, size=depth.shape[-2:], mode="bilinear", align_corners=False)
        behind = mean[:, 0] / mean[:, 1].clamp(min=1e-3) - depth
        hidden = hidden + weight * behind.clamp(0, 0.25)
    return hidden.clamp(max=0.6)


def _shadow(depth: Tensor, light: Tensor, *, unit: Tensor) -> Tensor:
    """Share of the lamp hidden by what stands between: a walk towards it over the depth picture."""
    h, w = depth.shape[-2:]
    ys = (torch.arange(h, device=depth.device) + 0.5) * 2 / h - 1
    xs = (torch.arange(w, device=depth.device) + 0.5) * 2 / w - 1
    here = torch.stack([xs.expand(h, w), ys[:, None].expand(h, w)], -1)
    hidden = torch.zeros_like(depth)
    for step in (0.04, 0.08, 0.13, 0.19, 0.27, 0.37, 0.50):
        move = torch.stack([light[:, 0], -light[:, 1]], -1) * step * unit[..., None] * 2 / w  # [N, 1, 1, 2]
        seen = functional.grid_sample(depth[:, None], here + move, padding_mode="border", align_corners=False)
        above = seen[:, 0] - (depth + light[:, 2] * step)
        hidden = torch.maximum(hidden, (above / (0.04 + 0.25 * step)).clamp(0, 1) * (1 - 0.6 * step))
    return hidden


def shade(v: Values, s: Surface, *, pixel: Tensor) -> Tensor:
    """Linear light [N, 3, H, W] that the surface sends to the camera."""
    light = light_direction(v)
    cover = functional.avg_pool2d(s.cover[:, None], 2)[:, 0]
    depth = functional.avg_pool2d((s.depth * s.cover)[:, None], 2)[:, 0] / cover.clamp(min=0.05)
    scale = 0.5 / float(pixel.mean())
    hidden = _occlusion(depth, cover, unit=scale)
    shadow = _shadow(torch.where(cover > 0.1, depth, -3.0), light[:, :, 0, 0][:, :, None, None], unit=0.5 / pixel)
    soft = functional.avg_pool2d(torch.stack([hidden, shadow], 1), 3, stride=1, padding=1, count_include_pad=False)
    soft = functional.interpolate(soft, scale_factor=2, mode="bilinear", align_corners=False)
    hidden, shadow = soft[:, 0], soft[:, 1]

    facing = (s.normal * light).sum(1)
    contrast = v.light_contrast
    warm = torch.stack([1 + 0.07 * v.light_warmth, 1 + 0 * v.light_warmth, 1 - 0.09 * v.light_warmth], 1)
    lamp = warm * (1.25 + 0.75 * contrast)[:, None]
    wraps = s.colour.new_tensor([0.42, 0.26, 0.20])[None, :, None, None] * s.skin[:, None] + 0.12
    diffuse = ((facing[:, None] + wraps) / (1 + wraps)).clamp(min=0)
    reddened = s.colour.new_tensor([0.80, 1.0, 1.06])[None, :, None, None]
    lit = 1 - (shadow * (0.45 + 0.25 * contrast))[:, None] * torch.where(s.skin[:, None] > 0.5, reddened, 1.0)
    up = s.normal[:, 1]
    sky = (0.62 - 0.28 * contrast) * (0.72 + 0.28 * up) + 0.10 * s.normal[:, 2].clamp(min=0)
    fill = (-(s.normal[:, 0] * light[:, 0])).clamp(min=0) * (0.22 - 0.12 * contrast)
    open_ = (1 - hidden)[:, None] ** s.colour.new_tensor([0.85, 1.0, 1.05])[None, :, None, None]
    total = lamp * diffuse * lit + (sky + fill)[:, None] * open_ * (2 - warm) + 0.04
    out = s.colour * total * (0.45 + 0.55 * open_)

    halfway = unit(light + light.new_tensor([0.0, 0.0, 1.0])[None, :, None, None])
    mirror = (s.normal * halfway).sum(1).clamp(min=0)
    gloss = 0.085 * mirror**9 + 0.04 * mirror**40
    rim = (1 - s.normal[:, 2].clamp(0, 1)) ** 3
    out = out + lamp * ((s.shine * gloss + 0.05 * s.skin * rim * (0.3 + facing.clamp(min=0))) * lit[:, 1])[:, None]
    band = bell_band(s, halfway)
    return out + lamp * (s.hair * band * (0.35 + 0.65 * lit[:, 1]))[:, None] * (0.10 + 0.9 * s.colour)


def bell_band(s: Surface, halfway: Tensor) -> Tensor:
    """The bright band across strands of hair: [N, H, W]."""
    down = s.normal.new_tensor([0.0, -1.0, 0.25])[None, :, None, None]
    along = unit(down - s.normal * (s.normal * down).sum(1, keepdim=True))
    lean = (along * halfway).sum(1) + 0.12 * (s.strand - 0.5)
    return 0.75 * (1 - lean * lean).clamp(min=0) ** 14 * (0.5 + s.strand)


def to_display(light: Tensor, v: Values, bright: Tensor) -> Tensor:
    """Exposure, a soft shoulder, and display encoding: 0..1. `bright` [N, 1, 1] is the exposure of the people."""
    exposed = light * (bright * (1 + 0.18 * v.exposure))[:, None]
    toned = exposed * (1 + 0.16 * exposed) / (1 + 0.55 * exposed)
    return toned.clamp(1e-5, 1) ** (1 / 2.2)
