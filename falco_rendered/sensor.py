"""What a camera adds to a picture: a little blur and noise, drawn from a seed of its own per picture."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

MAX_BLUR = 0.8
"""Pixels of standard deviation, in a picture of 128 px; more in larger ones by their size."""
MAX_NOISE = 0.03
"""Standard deviation; pictures span -1 to 1."""


def photograph(images: Tensor, *, seed: int, first: int = 0) -> Tensor:
    """Images [N, 3, S, S] in [-1, 1] as a camera would show them; picture i depends on (seed, first + i) alone."""
    return torch.cat([_one(image[None], seed, first + row) for row, image in enumerate(images)])


def _one(image: Tensor, seed: int, number: int) -> Tensor:
    draw = np.random.Generator(np.random.Philox(key=[seed, number]))
    blur, noise = draw.uniform(0, MAX_BLUR) * image.shape[-1] / 128, draw.uniform(0, MAX_NOISE)
    grain = torch.from_numpy(draw.standard_normal(image.shape, dtype=np.float32)).to(image.device)
    return (blurred(image, blur) + noise * grain).clamp(-1, 1)


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Images [N, C, S, S] through a Gaussian blur of `deviation` pixels."""
    reach, channels = int(3 * deviation) + 1, images.shape[1]
    place = torch.arange(-reach, reach + 1, device=images.device)
    kernel = torch.exp(-0.5 * (place / max(deviation, 1e-3)).square())
    kernel = (kernel / kernel.sum()).expand(channels, 1, -1)
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    across = functional.conv2d(padded, kernel[:, :, None], groups=channels)
    return functional.conv2d(across, kernel[:, :, :, None], groups=channels)
