"""Bringing images to the size a network wants."""

from torch import Tensor
from torch.nn import functional


def resize(images: Tensor, size: int) -> Tensor:
    """Square images [N, C, R, R] -> [N, C, size, size], bilinear, without aliasing when they shrink."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
