"""Bringing images to the size a network wants."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def resize(images: Tensor, size: int) -> Tensor:
    """Square images [N, C, R, R] -> [N, C, size, size], bilinear, without aliasing when they shrink."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


class Standardize(nn.Module):
    """Images in the size and with the statistics of a network's training images."""

    def __init__(self, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        """mean, std: of RGB values in [0, 1]."""
        super().__init__()
        self._size = size
        self.register_buffer("_mean", torch.tensor(mean)[None, :, None, None], persistent=False)
        self.register_buffer("_std", torch.tensor(std)[None, :, None, None], persistent=False)
        self._mean: Tensor
        self._std: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> [N, 3, size, size], standardized."""
        return ((resize(images, self._size) + 1.0) / 2.0 - self._mean) / self._std
