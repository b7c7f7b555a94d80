"""What a real crop differs in from a rendered one: frame, light, sharpness, noise, and what surrounds the face."""

import torch
from torch import Tensor
from torch.nn import functional

from falco_core.faces.mask import aligned_weights

MAX_SHIFT = 0.05
MAX_TURN = 0.07
MAX_SCALE = 0.06


def jitter_frame(images: Tensor, *, amount: float = 1.0) -> Tensor:
    """Images [N, 3, S, S] shifted (5 % of the half side), turned (4 degrees) and scaled (6 %) at random."""
    count = len(images)
    device = images.device
    turn = _uniform((count,), amount * MAX_TURN, device)
    scale = 1.0 + _uniform((count,), amount * MAX_SCALE, device)
    shift = _uniform((count, 2), amount * MAX_SHIFT, device)
    cos, sin = scale * turn.cos(), scale * turn.sin()
    affine = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], dim=1)
    grid = functional.affine_grid(
        torch.cat([affine, shift[:, :, None]], dim=2), list(images.shape), align_corners=False
    )
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def jitter_look(images: Tensor) -> Tensor:
    """Images [N, 3, S, S] in [-1, 1] with other exposure, contrast and colour, some blurred, with camera noise."""
    count = len(images)
    device = images.device
    gain = 1.0 + _uniform((count, 1, 1, 1), 0.25, device) + _uniform((count, 3, 1, 1), 0.08, device)
    lift = _uniform((count, 1, 1, 1), 0.15, device)
    return jitter_sharpness(images * gain + lift)


def jitter_sharpness(images: Tensor) -> Tensor:
    """Images [N, 3, S, S], some of them blurred, with camera noise; back in [-1, 1]."""
    count = len(images)
    half = functional.avg_pool2d(images, 2)
    blurred = functional.interpolate(half, size=images.shape[-2:], mode="bilinear", align_corners=False)
    device = images.device
    amount = (torch.rand(count, 1, 1, 1, device=device) * 1.6 - 0.6).clamp(min=0)
    noise = 0.04 * torch.rand(count, 1, 1, 1, device=device) * torch.randn_like(images)
    return (images + amount * (blurred - images) + noise).clamp(-1, 1)


def swap_surroundings(images: Tensor, *, share: float) -> Tensor:
    """Images [N, 3, S, S] of which `share` get hair, clothes and background of another one, or of no person at all.

    The face stays. A composite is such a picture, so that who learns from these looks at the face alone.
    """
    count, device = len(images), images.device
    others = images.roll(1, dims=0)
    coarse = functional.interpolate(
        torch.rand(count, 3, 4, 4, device=device) * 2 - 1, size=images.shape[-2:], mode="bilinear"
    )
    others = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.3, coarse, others)
    swapped = others + aligned_weights(images.shape[-1]).to(images) * (images - others)
    return torch.where(torch.rand(count, 1, 1, 1, device=device) < share, swapped, images)


def cover(images: Tensor, *, share: float) -> Tensor:
    """Images [N, 3, S, S] of which `share` have something of one colour (a hand, a microphone) at the face's edge."""
    count, device, size = len(images), images.device, images.shape[-1]
    place = (torch.arange(size, device=device) + 0.5) / size
    angle = torch.rand(count, 1, 1, device=device) * (2 * torch.pi)
    centre_x, centre_y = 0.5 + 0.33 * angle.cos(), 0.6 + 0.40 * angle.sin()
    radii = 0.05 + 0.10 * torch.rand(count, 2, 1, 1, device=device)
    distance = ((place[None, None, :] - centre_x) / radii[:, 0]) ** 2 + (
        (place[None, :, None] - centre_y) / radii[:, 1]
    ) ** 2
    colour = torch.rand(count, 3, 1, 1, device=device) * 2 - 1
    covered = (distance < 1.0)[:, None] & (torch.rand(count, 1, 1, 1, device=device) < share)
    return torch.where(covered, colour, images)


def _uniform(shape: tuple[int, ...], half_width: float, device: torch.device) -> Tensor:
    return half_width * (2.0 * torch.rand(shape, device=device) - 1.0)
