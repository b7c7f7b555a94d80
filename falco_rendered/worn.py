"""Glasses and earrings: thin things in front of the head."""

import torch
from torch import Tensor

from falco_rendered.camera import Rays, project, read_map
from falco_rendered.directions import bell, smooth_step
from falco_rendered.geometry import Features, HeadMap
from falco_rendered.palette import Palette, blend
from falco_rendered.parameters import Values
from falco_rendered.shading import Surface


def _lay(s: Surface, mask: Tensor, colour: Tensor, shine: float) -> Surface:
    keep = 1 - mask
    return Surface(
        blend(s.colour, colour, mask),
        s.normal,
        s.depth,
        s.shine * keep + shine * mask,
        s.skin * keep,
        s.wet * keep,
        s.hair * keep,
        s.strand,
        1 - (1 - s.cover) * keep,
    )


def _seen_at(x: Tensor, y: Tensor, z: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A head point ([N, 1, 1] each) in the picture plane, y up, with its depth: three [N, 1, 1]."""
    point = torch.stack([x + 0 * y, y + 0 * x, z + 0 * x], -1)[:, 0, 0]
    turned = (rotation @ point[:, :, None])[:, :, 0]
    seen = project(turned)
    return seen[:, 0][:, None, None], seen[:, 1][:, None, None], turned[:, 2][:, None, None]


def add_earrings(
    v: Values, f: Features, s: Surface, head: HeadMap, rays: Rays, *, rotation: Tensor, pixel: Tensor
) -> Surface:
    """Small golden balls under the ears, unless long hair hides them."""
    worn = v.earrings * (1 - v.long_hair * (1 - v.bald))
    gold = s.colour.new_tensor([0.85, 0.62, 0.22])[None, :, None, None]
    for side in (-1.0, 1.0):
        x, y = side * 0.78 + 0 * f.eye_x, -0.42 + 0 * f.eye_x
        reach, distance = read_map(head.radius, (x, y, x * 0 + 0.02))
        share = reach[:, 0] / distance * 1.02
        u, w, depth = _seen_at(x * share, y * share, 0.02 * share, rotation)
        r = ((rays.u - u) ** 2 + (rays.v - w) ** 2 + 1e-8).sqrt()
        ball = smooth_step(0.050 + 0.7 * pixel, 0.050 - 0.7 * pixel, r) * worn
        hidden = smooth_step(0.03, 0.10, s.depth - depth) * s.cover
        light = 0.45 + 0.9 * bell(((rays.u - u + 0.01) ** 2 + (rays.v - w - 0.015) ** 2).sqrt() / 0.03)
        s = _lay(s, ball * (1 - hidden), gold * light[:, None], 1.0)
    return s


def add_glasses(
    v: Values, f: Features, p: Palette, s: Surface, rays: Rays, *, rotation: Tensor, pixel: Tensor
) -> tuple[Surface, Tensor]:
    """Frames in a plane before the eyes, arms to the ears; second the light mirrored by the lenses [N, 1, H, W]."""
    plane = 1.02 - 0.03 * v.eye_depth
    z = (plane - rays.start[2]) / rays.step[2]
    x, y, _ = rays.at(z)
    ax, yy = x.abs() - f.eye_x * 1.08, y - 0.005
    wide, high = 0.225 + 0.02 * v.glasses_size, 0.150 + 0.022 * v.glasses_size + 0.03 * v.glasses_round
    wide = wide - 0.02 * v.glasses_round
    corner = 0.06 + 0.10 * v.glasses_round
    qx, qy = ax.abs() - wide + corner, yy.abs() - high + corner
    outside = (qx.clamp(min=0) ** 2 + qy.clamp(min=0) ** 2 + 1e-8).sqrt() + torch.maximum(qx, qy).clamp(max=0) - corner
    rim = smooth_step(0.018 + pixel, 0.018 - pixel, outside.abs())
    bridge_y = yy - 0.035 + 1.6 * x * x
    bridge = smooth_step(0.014 + pixel, 0.014 - pixel, bridge_y.abs()) * (outside > 0) * (ax < -0.6 * wide)
    frame = torch.maximum(rim, bridge.to(rim.dtype))
    for side in (-1.0, 1.0):
        frame = torch.maximum(
            frame, _arm(f, s, rays, rotation, pixel, side=side, edge=f.eye_x * 1.08 + wide, plane=plane)
        )
    lens = smooth_step(pixel, -pixel, outside) * v.eyeglasses
    s = _lay(s, lens * 0.07, p.trim * 0 + 0.25, 0.2)
    s = _lay(s, frame * v.eyeglasses, p.trim.expand(-1, -1, *x.shape[-2:]) * 0.5, 1.2)
    sheen = lens * bell((ax + 0.9 * yy - 0.06) / 0.05) * 0.05
    return s, sheen[:, None]


def _arm(
    f: Features,
    s: Surface,
    rays: Rays,
    rotation: Tensor,
    pixel: Tensor,
    *,
    side: float,
    edge: Tensor,
    plane: Tensor,
) -> Tensor:
    """The arm of the glasses on one side where the head does not hide it."""
    u0, w0, d0 = _seen_at(side * edge, 0.05 + 0 * edge, plane, rotation)
    u1, w1, d1 = _seen_at(side * 0.86 + 0 * edge, 0.05 + 0 * edge, 0.0 + 0 * edge, rotation)
    du, dw = u1 - u0, w1 - w0
    along = (((rays.u - u0) * du + (rays.v - w0) * dw) / (du * du + dw * dw + 1e-6)).clamp(0, 1)
    away = ((rays.u - u0 - along * du) ** 2 + (rays.v - w0 - along * dw) ** 2 + 1e-8).sqrt()
    depth = d0 + along * (d1 - d0)
    hidden = smooth_step(0.0, 0.06, s.depth - depth) * s.cover
    return smooth_step(0.016 + pixel, 0.016 - pixel, away) * (1 - hidden)
