"""What a real crop differs in from a rendered one: its frame is a little off, its light, sharpness and noise vary."""

import torch
from torch import Tensor
from torch.nn import functional

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


def _uniform(shape: tuple[int, ...], half_width: float, device: torch.device) -> Tensor:
    return half_width * (2.0 * torch.rand(shape, device=device) - 1.0)
