"""Rays into the scene and where they meet the head.

Camera coordinates: x right, y up, z towards the viewer, origin in the middle of the head, unit 100 mm. A point
(x, y, z) is seen at x / (1 - z / DISTANCE), y / (1 - z / DISTANCE): the picture plane passes through the head.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from falco_rendered.directions import map_position
from falco_rendered.geometry import HeadMap
from falco_rendered.parameters import Values

DISTANCE = 11.0

Planes = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Rays:
    """Rays of N pictures in head coordinates: the point at depth z is `start + z * step` (three [N, H, W])."""

    u: Tensor
    v: Tensor
    start: Planes
    step: Planes

    def at(self, z: Tensor) -> Planes:
        """The point at depth z, in head coordinates."""
        x, y, w = (a + z * b for a, b in zip(self.start, self.step, strict=True))
        return x, y, w


@dataclass(frozen=True)
class Hit:
    """Where rays meet the head: depth, coverage 0..1, point, and map cells [N, C, H, W] read there."""

    depth: Tensor
    cover: Tensor
    point: Planes
    cells: Tensor


def head_rotation(v: Values) -> Tensor:
    """Rotation from head to camera coordinates [N, 3, 3]; `v` without planes. Positive yaw looks right, pitch up."""
    yaw, pitch, roll = (angle * (math.pi / 180) for angle in (v.yaw, -v.pitch, v.roll))
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    cy, sy, cp, sp, cr, sr = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin(), roll.cos(), roll.sin()
    turn = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], -1).view(-1, 3, 3)
    nod = torch.stack([one, zero, zero, zero, cp, -sp, zero, sp, cp], -1).view(-1, 3, 3)
    tilt = torch.stack([cr, -sr, zero, sr, cr, zero, zero, zero, one], -1).view(-1, 3, 3)
    return tilt @ nod @ turn


def project(points: Tensor) -> Tensor:
    """Camera coordinates [..., 3] to the picture plane [..., 2] (y up)."""
    return points[..., :2] / (1 - points[..., 2:] / DISTANCE)


def rays_through(*, u: Tensor, v: Tensor, rotation: Tensor) -> Rays:
    """Rays through picture-plane points u, v [N, H, W] (y up), in the coordinates of rotated heads."""
    r = rotation[:, :, :, None, None]
    start = tuple(r[:, 0, k] * u + r[:, 1, k] * v for k in range(3))
    step = tuple(r[:, 2, k] - start[k] / DISTANCE for k in range(3))
    return Rays(u, v, (start[0], start[1], start[2]), (step[0], step[1], step[2]))


def read_map(cells: Tensor, point: Planes) -> tuple[Tensor, Tensor]:
    """Map cells [N, C, H, W] in the direction of a point, and the point's distance from the centre."""
    x, y, z = point
    distance = (x * x + y * y + z * z).sqrt()
    reach = (distance + z).clamp(min=0.05)
    where = torch.stack(map_position(x / reach, y / reach), -1)
    read = functional.grid_sample(cells, where, padding_mode="border", align_corners=True)
    return read, distance


def _walk(
    head: HeadMap,
    rays: Rays,
    depth: Tensor,
    lowest: Tensor,
    *,
    steps: int,
    share: float,
    secant: bool = False,
) -> tuple[Tensor, Tensor]:
    """Follow the rays down to the surface, and back out of it: where they came nearest, and how near."""
    nearest = torch.full_like(depth, 1e3)
    slope = torch.full_like(depth, 1 / share)
    last: tuple[Tensor, Tensor] | None = None
    best = depth
    for _ in range(steps):
        reach, distance = read_map(head.radius, rays.at(depth))
        gap = distance - reach[:, 0]
        best = torch.where((gap < nearest) | (nearest < 0), depth, best)
        nearest = torch.minimum(nearest, gap)
        if secant and last is not None:
            moved = depth - last[1]
            found = (gap - last[0]) / torch.where(moved.abs() < 1e-4, 1e-4, moved)
            slope = torch.where(moved.abs() < 1e-4, slope, found).clamp(0.35, 4.0)
        last = (gap, depth)
        depth = torch.maximum(depth - (gap / slope).clamp(-0.05, 0.15), lowest)
    return best, nearest


def _thin(rays: Rays, factor: int) -> Rays:
    def thin(plane: Tensor) -> Tensor:
        return functional.avg_pool2d(plane[:, None], factor)[:, 0]

    start, step = tuple(map(thin, rays.start)), tuple(map(thin, rays.step))
    return Rays(thin(rays.u), thin(rays.v), (start[0], start[1], start[2]), (step[0], step[1], step[2]))


def _lowest(rays: Rays) -> Tensor:
    """A little behind the point of a ray that is nearest to the middle of the head."""
    along = sum(a * b for a, b in zip(rays.start, rays.step, strict=True))
    square = sum(b * b for b in rays.step)
    return torch.as_tensor(-along / square - 0.30)


def trace_head(head: HeadMap, rays: Rays, *, pixel: Tensor) -> Hit:
    """Walk along the rays to the surface: at a quarter of the resolution first; `pixel` [N, 1, 1] is its size."""
    coarse = _thin(rays, 4)
    lowest = _lowest(coarse)
    depth, _ = _walk(head, coarse, torch.full_like(coarse.u, 1.45), lowest, steps=28, share=0.6)
    depth = functional.max_pool2d(depth[:, None], 3, stride=1, padding=1)
    size = rays.u.shape[-2:]
    depth = functional.interpolate(depth, size=size, mode="bilinear", align_corners=False)[:, 0] + 0.005
    depth, gap = _walk(head, rays, depth, _lowest(rays), steps=6, share=0.75, secant=True)
    point = rays.at(depth)
    cells, _ = read_map(head.cells, point)
    cover = (1.5 - gap / (1.5 * pixel)).clamp(0, 1)
    return Hit(depth, cover, point, cells)
