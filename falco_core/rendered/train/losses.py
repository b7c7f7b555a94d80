"""Image losses of the recipes."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

SCALES = 3
FACE_CENTRE, FACE_RADII = (0.5, 0.57), (0.24, 0.26)
"""x, y of the face's middle and its half width and height, as shares of an aligned crop."""
FACE_WEIGHT = 3.0
"""How much more a pixel between brows and mouth counts than one at the edge."""


def pyramid_loss(*, generated: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of values and of their x and y gradients, over three scales.

    generated, target: [N, 3, H, W] aligned faces; returns [N]. The gradients keep edges that a plain L1 blurs, and
    the middle of the face, small but what one looks at, counts more than hair and background.
    """
    total = generated.new_zeros(len(generated))
    difference = generated - target
    for _ in range(SCALES):
        weights = face_weights(difference.shape[-1]).to(difference)
        total = total + (difference.abs() * weights).mean(dim=(1, 2, 3))
        total = total + (difference.diff(dim=2).abs() * weights[:, :, 1:]).mean(dim=(1, 2, 3))
        total = total + (difference.diff(dim=3).abs() * weights[:, :, :, 1:]).mean(dim=(1, 2, 3))
        # Averaging is linear: the coarser difference is the difference of the coarser images.
        difference = functional.avg_pool2d(difference, 2)
    return total


@cache
def face_weights(size: int) -> Tensor:
    """Weights [1, 1, size, size] of the pixels, 1 on average."""
    place = (torch.arange(size) + 0.5) / size
    across = ((place - FACE_CENTRE[0]) / FACE_RADII[0]).square()[None, :]
    down = ((place - FACE_CENTRE[1]) / FACE_RADII[1]).square()[:, None]
    weights = 1.0 + (FACE_WEIGHT - 1.0) * torch.exp(-((across + down) ** 2))
    return (weights / weights.mean())[None, None]
