"""One picture from its parts: head, hair, body and background, with glasses and earrings in front."""

import torch
from torch import Tensor

from falco_rendered.body import Body, Layer, body_of, long_hair_of
from falco_rendered.camera import Hit, Rays
from falco_rendered.directions import bell, paper_point, smooth_step, unit
from falco_rendered.geometry import Features, HeadMap
from falco_rendered.paint import paint_head
from falco_rendered.palette import Palette, blend, palette_of, tint
from falco_rendered.parameters import Values
from falco_rendered.shading import Surface, shade, to_display
from falco_rendered.worn import add_earrings, add_glasses


def draw(
    v: Values, f: Features, head: HeadMap, rays: Rays, hit: Hit, *, rotation: Tensor, pixel: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Display colours 0..1 of people [N, 3, H, W], their coverage [N, H, W], colours of the background."""
    palette = palette_of(v)
    behind = _body_surface(v, palette, body_of(v, rays, pixel=pixel), rays)
    hair = _hair_surface(v, palette, long_hair_of(v, rays, pixel=pixel), rays, rotation)
    surface = _join(_head_surface(v, f, palette, hit, rotation=rotation), _join(hair, behind))
    surface = add_earrings(v, f, surface, head, rays, rotation=rotation, pixel=pixel)
    surface, lens = add_glasses(v, f, palette, surface, rays, rotation=rotation, pixel=pixel)
    light = shade(v, surface, pixel=pixel)
    light = light + lens
    tone = palette.skin.mean(1)
    picture = to_display(light, v, 0.62 * (0.42 / (tone + 0.10)) ** 0.35)
    return picture, surface.cover, _background(v, rays)


def _rotate(normal: Tensor, rotation: Tensor) -> Tensor:
    return torch.einsum("nij,njhw->nihw", rotation, normal)


def strands(v: Values, px: Tensor, py: Tensor, pz: Tensor) -> Tensor:
    """Light and dark locks of hair, 0..1, running down from the parting."""
    around = torch.atan2(px - 0.2 * v.hair_part * smooth_step(0.2, 0.8, py), pz.clamp(min=-2) + 0.35)
    phase = around + v.wavy * 0.10 * torch.sin(9 * py + 3 * around)
    fine = torch.sin(31 * phase + 2 * py) + 0.8 * torch.sin(53 * phase - 3 * py + 1) + 0.7 * torch.sin(17 * phase + 4)
    return (0.5 + 0.22 * fine).clamp(0, 1)


def _head_surface(v: Values, f: Features, p: Palette, hit: Hit, *, rotation: Tensor) -> Surface:
    x, y, z = hit.point
    px, py = paper_point(x, y, z)
    front = smooth_step(-0.05, 0.25, z)
    paint = paint_head(v, f, p, px=px, py=py, front=front)
    hair, hat = hit.cells[:, 4], hit.cells[:, 5]
    strand = strands(v, x, y, z)
    locks = p.hair * (0.55 + 0.75 * strand)[:, None]
    colour = blend(paint.colour, locks, hair)
    knit = 0.85 + 0.15 * torch.sin(60 * torch.atan2(x, z))
    colour = blend(colour, p.trim * knit[:, None], hat)
    bare = (1 - hair) * (1 - hat)
    normal = unit(_rotate(hit.cells[:, 1:4], rotation))
    tilt = torch.stack([(strand - 0.5) * 0.5 * hair, 0 * hair, 0 * hair], 1)
    normal = unit(normal + tilt)
    return Surface(
        colour,
        normal,
        hit.depth,
        paint.shine * bare,
        paint.skin * bare,
        paint.wet * bare,
        hair,
        strand,
        hit.cover,
    )


def _body_surface(v: Values, p: Palette, body: Body, rays: Rays) -> Surface:
    skin = p.skin.expand(-1, -1, *rays.u.shape[-2:]) * 0.94
    colour = blend(skin, p.clothes, body.clothes) * (1 - 0.45 * body.folds)[:, None]
    bare = 1 - body.clothes
    none = torch.zeros_like(bare)
    normal = torch.stack(body.layer.normal, 1)
    return Surface(colour, normal, body.layer.depth, 0.15 * bare, bare, none, none, none + 0.5, body.layer.cover)


def _join(front: Surface, back: Surface) -> Surface:
    """One surface over another where it covers and is nearer (softly, so that skin joins skin)."""
    nearer = smooth_step(-0.05, 0.05, front.depth - back.depth)
    return _mix(back, front, front.cover * (1 - back.cover * (1 - nearer)))


def _mix(back: Surface, front: Surface, over: Tensor) -> Surface:
    wide = over[:, None]
    return Surface(
        back.colour + (front.colour - back.colour) * wide,
        unit(back.normal + (front.normal - back.normal) * wide),
        torch.where(over > 0.5, front.depth, torch.where(back.cover > 0, back.depth, front.depth)),
        torch.lerp(back.shine, front.shine, over),
        torch.lerp(back.skin, front.skin, over),
        torch.lerp(back.wet, front.wet, over),
        torch.lerp(back.hair, front.hair, over),
        torch.lerp(back.strand, front.strand, over),
        1 - (1 - back.cover) * (1 - over),
    )


def _hair_surface(v: Values, p: Palette, hair: Layer, rays: Rays, rotation: Tensor) -> Surface:
    """Long hair behind and beside the neck."""
    x, y, z = rays.at(hair.depth.clamp(min=-0.6))
    strand = strands(v, x, 0.3 * y, z + 0.5)
    none = torch.zeros_like(strand)
    normal = unit(_rotate(torch.stack(hair.normal, 1), rotation))
    colour = p.hair * (0.50 + 0.75 * strand)[:, None]
    return Surface(colour, normal, hair.depth, none, none, none, none + 0.3, strand, hair.cover)


def _background(v: Values, rays: Rays) -> Tensor:
    """Two colours that run into each other, brighter in the middle: display colours [N, 3, H, W]."""
    light = 0.22 + 0.62 * v.back_light
    one = tint(v.back_hue, 0.02 + 0.04 * (v.back_tint + 1), light)
    two = tint(v.back_hue + 0.35 * v.back_gradient, 0.02 + 0.04 * (v.back_tint + 1), light * 0.72)
    run = smooth_step(-1.5, 1.5, rays.v + 0.8 * v.back_gradient * rays.u)
    glow = 0.06 * bell(((rays.u - 0.4 * v.back_gradient) ** 2 + rays.v**2).sqrt() / 1.1)
    return (two + (one - two) * run[:, None] + glow[:, None]).clamp(0, 1)
