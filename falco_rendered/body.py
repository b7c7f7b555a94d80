"""Neck, shoulders and long hair: surfaces given directly as a depth for each point of the picture."""

from dataclasses import dataclass

import torch
from torch import Tensor

from falco_rendered.camera import Rays
from falco_rendered.directions import bell, smooth_step
from falco_rendered.parameters import Values


@dataclass(frozen=True)
class Layer:
    """A surface seen from the front: depth, coverage 0..1 and normal, all [N, H, W]."""

    depth: Tensor
    cover: Tensor
    normal: tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Body:
    """Neck and shoulders with the share of clothes on them and the dark of their folds."""

    layer: Layer
    clothes: Tensor
    folds: Tensor


def body_of(v: Values, rays: Rays, *, pixel: Tensor) -> Body:
    """Neck and shoulders in camera coordinates: one tube that widens downwards."""
    x, y = rays.u, rays.v
    neck = 0.50 + 0.05 * v.neck_width + 0.045 * v.male
    fall = smooth_step(-0.95, -2.15, y)
    slope = smooth_step(-0.75, -1.75, y)
    half = (
        neck + 0.22 * slope + 1.30 * fall * fall + 0.10 * smooth_step(-2.1, -3.0, y) + 0.06 * smooth_step(-0.9, -0.5, y)
    )
    deep = 0.50 + 0.25 * fall
    middle = -0.34 + 0.05 * fall
    across = x / half
    bulge = (1 - across * across).clamp(min=0.0).sqrt()
    depth = middle + deep * bulge
    cover = ((half - x.abs()) / (1.5 * pixel)).clamp(0, 1) * smooth_step(-0.3, -0.4, y)
    # The two strands of the neck's sternomastoid, and the hollow between the collar bones.
    strand = bell((x.abs() - 0.10 + 0.13 * (y + 1.7)) / 0.09) * smooth_step(-0.9, -1.4, y)
    up = 0.25 + 0.75 * slope * smooth_step(-2.6, -1.5, y)
    normal = _unit(across * 1.1 + 0.35 * strand * (x / 0.10).clamp(-1, 1), up * 0.6, bulge + 0.15)
    collar = -1.43 + 0.16 * across * across - 0.25 * bell(x / 0.30) * (1 - v.male)
    clothes = smooth_step(collar + 1.2 * pixel, collar - 1.2 * pixel, y)
    # Upper arms beside the trunk, below what a crop of the face shows.
    arm = bell((x.abs() - 1.52 - 0.10 * (y + 2.6)) / 0.07) * smooth_step(-2.1, -2.7, y)
    return Body(Layer(depth + 0.05 * clothes, cover, normal), clothes, arm)


def long_hair_of(v: Values, rays: Rays, *, pixel: Tensor) -> Layer:
    """Hair hanging beside and behind the neck, in the frame of the head."""
    x, y, _ = rays.at(torch.full_like(rays.u, -0.1))
    length = 0.55 + 0.75 * v.hair_length
    bottom = -0.75 - length
    half = 0.86 + 0.045 * v.head_width + 0.12 * v.hair_volume
    half = half + 0.10 * v.hair_volume * bell((y + 0.8) / 0.5) - 0.10 * smooth_step(-0.9, -2.0, y)
    half = half + 0.035 * v.wavy * torch.sin(9 * y + 2.0 * torch.sign(x))
    top = 0.55
    across = x / half
    bulge = (1 - across * across).clamp(min=0.0).sqrt()
    inner = 0.50 + 0.03 * torch.sin(7 * y) * v.wavy
    carve = smooth_step(inner + 0.10, inner - 0.14, x.abs())
    depth = -0.42 + 0.62 * bulge - 0.70 * carve
    cover = ((half - x.abs()) / (1.5 * pixel)).clamp(0, 1)
    cover = (
        cover * smooth_step(bottom - 0.02, bottom + 0.06, y + 0.05 * torch.sin(14 * x)) * smooth_step(top, top - 0.2, y)
    )
    cover = cover * v.long_hair * (1 - v.bald)
    wave = 0.25 * torch.sin(16 * x.abs() + 1.5 * v.wavy * torch.sin(8 * y))
    normal = _unit(across * 1.1 + wave - 1.2 * carve * torch.sign(x) * (1 - carve), 0.1 + 0 * x, bulge + 0.25)
    return Layer(depth, cover, normal)


def _unit(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scale = (x * x + y * y + z * z + 1e-6).rsqrt()
    return x * scale, y * scale, z * scale
