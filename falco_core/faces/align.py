"""FFHQ-style alignment: five landmarks to a crop quad, and the crop itself.

Pixel coordinates: x to the right, y down; the centre of the top-left pixel is (0.5, 0.5).
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# Most source pixels per crop pixel before the photo is shrunk first, so that sampling does not alias.
MAX_REDUCTION = 1.5


def crop_quad(landmarks: np.ndarray) -> np.ndarray:
    """The corners [4, 2] (top-left, bottom-left, bottom-right, top-right) of the crop around a face.

    landmarks: [5, 2] eyes, nose, mouth corners. From the published FFHQ preparation (Karras et al., CVPR 2019), with
    eye and mouth centres taken from the five landmarks instead of 68.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    eye, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    eye_to_eye, eye_to_mouth = points[1] - points[0], mouth - eye
    x = eye_to_eye - np.array([-eye_to_mouth[1], eye_to_mouth[0]])
    with np.errstate(invalid="ignore"):
        x /= np.hypot(*x)  # landmarks that coincide give a NaN quad
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.array([-x[1], x[0]])
    centre = eye + 0.1 * eye_to_mouth
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def extract_crop(pixels: np.ndarray, quad: np.ndarray, size: int) -> np.ndarray:
    """The crop uint8 [size, size, 3] of a photo uint8 [H, W, 3]; beyond the border the photo is mirrored."""
    part, quad = _surroundings(pixels, quad)
    reduction = float(np.linalg.norm(quad[1] - quad[0])) / size
    image = torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float()
    if reduction > MAX_REDUCTION:
        height, width = image.shape[-2:]
        smaller = (max(1, math.ceil(height / reduction)), max(1, math.ceil(width / reduction)))
        image = functional.interpolate(image, size=smaller, mode="bilinear", antialias=True, align_corners=False)
        quad = quad * np.array([smaller[1] / width, smaller[0] / height])
    grid = quad_grid(quad, size)
    sampled = sample(image, grid, padding="reflection")
    crop: np.ndarray = sampled[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
    return crop


def landmarks_in_crop(landmarks: np.ndarray, quad: np.ndarray, size: int) -> np.ndarray:
    """Landmarks [5, 2] of a photo as pixels of the crop [size, size] that the quad [4, 2] cuts out."""
    axes = np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]], axis=1))
    return np.asarray((landmarks - quad[0]) @ axes.T * size)


def quad_grid(quad: np.ndarray, size: int) -> Tensor:
    """Photo positions [size, size, 2] of the centres of the crop's pixels."""
    steps = (np.arange(size) + 0.5) / size
    right, down = quad[3] - quad[0], quad[1] - quad[0]
    grid = quad[0] + steps[None, :, None] * right + steps[:, None, None] * down
    return torch.from_numpy(grid).float()


def sample(image: Tensor, positions: Tensor, *, padding: str) -> Tensor:
    """image [1, C, H, W] read at positions [h, w, 2] (pixels), bicubic -> [1, C, h, w]."""
    height, width = image.shape[-2:]
    scaled = positions / torch.tensor([width, height], dtype=positions.dtype) * 2.0 - 1.0
    return functional.grid_sample(image, scaled[None], mode="bicubic", padding_mode=padding, align_corners=False)


def _surroundings(pixels: np.ndarray, quad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of the photo that the crop can see (with a margin, for mirroring), and the quad within it."""
    height, width = pixels.shape[:2]
    reach = float(np.linalg.norm(quad[2] - quad[0]))
    left, top = np.floor(quad.min(axis=0) - reach).astype(int)
    right, bottom = np.ceil(quad.max(axis=0) + reach).astype(int)
    left, top = int(np.clip(left, 0, width - 1)), int(np.clip(top, 0, height - 1))
    right, bottom = int(np.clip(right, left + 1, width)), int(np.clip(bottom, top + 1, height))
    return pixels[top:bottom, left:right], quad - np.array([left, top])
