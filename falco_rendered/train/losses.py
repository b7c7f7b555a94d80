"""Image losses of the recipes: they look where compose pastes, and most of all at eyes, nose and mouth."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from falco_core.faces.mask import aligned_weights
from falco_rendered.sensor import blurred

SCALES = 3
FEATURES_CENTRE, FEATURES_RADII = (0.5, 0.57), (0.24, 0.26)
"""x, y of the middle of the features and their half width and height, as shares of an aligned crop."""
FEATURES_WEIGHT = 3.0
"""How much more a pixel between brows and mouth counts than one at the outline of the face."""


def pyramid_loss(*, generated: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of values and of their x and y gradients, over three scales.

    generated, target: [N, 3, H, W] aligned faces; returns [N]. The gradients keep edges that a plain L1 blurs.
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


def face_error(images: Tensor, target: Tensor) -> float:
    """Mean absolute difference inside the aligned face and its rim; images, target: [N, 3, S, S] in [-1, 1]."""
    return float(_inside((images.clamp(-1, 1) - target).abs()).mean())


def fine_share(images: Tensor, target: Tensor) -> float:
    """Energy of what a blur of 1 px takes away inside the aligned face and its rim, as a share of the target's."""
    fine = [fine_energy(each).mean() for each in (images.clamp(-1, 1), target)]
    return float(fine[0] / fine[1])


def sharpness_loss(*, generated: Tensor, target: Tensor) -> Tensor:
    """Squared log ratio of the fine energies [N]: a pixel loss alone is smallest for a blurred guess."""
    return (fine_energy(generated) / fine_energy(target)).clamp(min=1e-3).log().square()


def fine_energy(images: Tensor) -> Tensor:
    """Mean square [N] of what a blur of 1 px takes away from [N, 3, S, S] inside the aligned face and its rim."""
    return _inside((images - blurred(images, 1.0)).square()).mean(dim=(1, 2, 3))


def _inside(values: Tensor) -> Tensor:
    inside = (aligned_weights(values.shape[-1]) >= 1.0).to(values)
    return values * inside / inside.mean()


@cache
def face_weights(size: int) -> Tensor:
    """Weights [1, 1, size, size] of the pixels, 1 on average."""
    place = (torch.arange(size) + 0.5) / size
    across = ((place - FEATURES_CENTRE[0]) / FEATURES_RADII[0]).square()[None, :]
    down = ((place - FEATURES_CENTRE[1]) / FEATURES_RADII[1]).square()[:, None]
    weights = aligned_weights(size)[0, 0] * (1.0 + (FEATURES_WEIGHT - 1.0) * torch.exp(-((across + down) ** 2)))
    return (weights / weights.mean())[None, None]
