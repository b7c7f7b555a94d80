"""Pixels as tensors and back: inside the library images are float RGB in [-1, 1]."""

import numpy as np
import torch
from torch import Tensor


def to_tensor(pixels: np.ndarray) -> Tensor:
    """uint8 [H, W, 3] or [N, H, W, 3] -> float32 [N, 3, H, W] in [-1, 1]."""
    batch = pixels if pixels.ndim == 4 else pixels[None]
    return torch.tensor(batch).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def to_pixels(images: Tensor) -> np.ndarray:
    """float [N, 3, H, W] in [-1, 1] -> uint8 [N, H, W, 3]; values beyond are clamped, never stretched."""
    scaled = ((images.detach().float() + 1.0) * 127.5).round().clamp(0, 255).nan_to_num(0)
    pixels: np.ndarray = scaled.byte().permute(0, 2, 3, 1).cpu().numpy()
    return pixels
