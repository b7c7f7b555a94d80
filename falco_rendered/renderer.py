"""Rendered portraits: latents in; picture, coverage and exact landmarks out."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from falco_core.faces.align import crop_quad
from falco_rendered.camera import head_rotation, project, rays_through, read_map, trace_head
from falco_rendered.directions import paper_depth
from falco_rendered.drawing import draw
from falco_rendered.geometry import Features, HeadMap, features_of, head_map
from falco_rendered.parameters import Values

_PORTRAIT_QUAD = ((-2.6, -1.8), (-2.6, 3.4), (2.6, 3.4), (2.6, -1.8))  # y down, 100 mm


@dataclass(frozen=True)
class Render:
    """N pictures: images [N, 3, S, S] in [-1, 1], alpha [N, 1, S, S] in 0..1, landmarks [N, 5, 2] in pixels.

    Landmarks are the left eye, right eye, nose tip, left and right mouth corner as seen in the picture.
    """

    images: Tensor
    alpha: Tensor
    landmarks: Tensor


def render_aligned(latents: Tensor, *, size: int = 128, oversample: float = 1.5, chunk: int | None = None) -> Render:
    """Pictures framed exactly as `crop_quad` would crop the faces, computed from their exact landmarks."""
    return _in_chunks(latents, size, oversample, chunk, aligned=True)


def render_portrait(latents: Tensor, *, size: int = 512, oversample: float = 1.5, chunk: int | None = None) -> Render:
    """Upright pictures of head and shoulders with the head's roll, for composing scenes.

    The images hold the people's own colours up to their edges: lay them over something with `alpha`.
    """
    return _in_chunks(latents, size, oversample, chunk, aligned=False)


@torch.no_grad()
def _in_chunks(latents: Tensor, size: int, oversample: float, chunk: int | None, *, aligned: bool) -> Render:
    chunk = chunk or (64 if latents.is_cuda else 2)
    parts = [_render(part, size, oversample, aligned=aligned) for part in torch.split(latents, chunk)]
    return Render(
        torch.cat([part.images for part in parts]),
        torch.cat([part.alpha for part in parts]),
        torch.cat([part.landmarks for part in parts]),
    )


def _render(latents: Tensor, size: int, oversample: float, *, aligned: bool) -> Render:
    v = Values(latents, planes=True)
    features = features_of(v)
    head = head_map(v, features, cells=min(960, max(192, int(2.5 * size))))
    rotation = head_rotation(Values(latents))
    spots = _landmarks(head, features, rotation)
    quads = _quads(spots, aligned=aligned)
    u, w, pixel = _pixel_grid(quads, 8 * round(size * oversample / 8))
    rays = rays_through(u=u, v=w, rotation=rotation)
    hit = trace_head(head, rays, pixel=pixel)
    people, cover, behind = draw(v, features, head, rays, hit, rotation=rotation, pixel=pixel)
    cover = cover[:, None]
    if aligned:
        both = _shrink(torch.cat([behind + (people - behind) * cover, cover], 1), size)
        images, alpha = both[:, :3], both[:, 3:]
    else:
        both = _shrink(torch.cat([people * cover, cover], 1), size)
        images, alpha = both[:, :3] / both[:, 3:].clamp(min=1e-3), both[:, 3:]
    return Render(images * 2 - 1, alpha, _to_pixels(spots, quads, size))


def _shrink(planes: Tensor, size: int) -> Tensor:
    return functional.interpolate(planes, size=(size, size), mode="bilinear", antialias=True)


def _landmarks(head: HeadMap, f: Features, rotation: Tensor) -> Tensor:
    """Eyes, nose tip and mouth corners in the picture plane, y down: [N, 5, 2]."""
    corner_y = f.mouth_y + 0.045 * f.smile - 0.025
    nominal = [
        (-f.eye_x, 0 * f.eye_x + 0.018),
        (f.eye_x, 0 * f.eye_x + 0.018),
        (0 * f.eye_x, f.nose_y + 0.055),
        (-f.mouth_half, corner_y),
        (f.mouth_half, corner_y),
    ]
    x = torch.cat([p[0] for p in nominal], 2)
    y = torch.cat([p[1] for p in nominal], 2)
    z = paper_depth(x)
    reach, distance = read_map(head.radius, (x, y, z))
    points = torch.stack([x, y, z], -1)[:, 0] * (reach[:, 0, 0] / distance[:, 0])[..., None]
    seen = project(points @ rotation.transpose(1, 2))
    return seen * seen.new_tensor([1.0, -1.0])


def _quads(spots: Tensor, *, aligned: bool) -> Tensor:
    if not aligned:
        return torch.tensor(_PORTRAIT_QUAD, device=spots.device).expand(len(spots), 4, 2)
    quads = np.stack([crop_quad(row) for row in spots.double().cpu().numpy()])
    return torch.from_numpy(quads).to(spots)


def _pixel_grid(quads: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Picture-plane u, v (y up) of pixel centres [N, size, size] and the pixel size [N, 1, 1]."""
    share = (torch.arange(size, device=quads.device) + 0.5) / size
    corner, right, down = quads[:, 0], quads[:, 3] - quads[:, 0], quads[:, 1] - quads[:, 0]
    grid = (
        corner[:, :, None, None]
        + right[:, :, None, None] * share[None, None, None, :]
        + down[:, :, None, None] * share[None, None, :, None]
    )
    return grid[:, 0], -grid[:, 1], right.norm(dim=1)[:, None, None] / size


def _to_pixels(spots: Tensor, quads: Tensor, size: int) -> Tensor:
    right, down = quads[:, 3] - quads[:, 0], quads[:, 1] - quads[:, 0]
    axes = torch.stack([right, down], 2)
    shares: Tensor = torch.linalg.solve(axes, (spots - quads[:, :1]).transpose(1, 2)).transpose(1, 2)
    return shares * size
