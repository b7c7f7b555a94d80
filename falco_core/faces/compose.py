"""Putting a new face into its photo: inverse warp, a mask over the whole face, colours matched to the old one."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from falco_core.faces.align import sample
from falco_core.faces.mask import Oval, face_oval, oval_mask

MAX_COLOUR_SHIFT = 48.0


@dataclass(frozen=True)
class Pasted:
    """A photo uint8 [H, W, 3] with a new face, and the pixels that were touched: bool [H, W]."""

    pixels: np.ndarray
    region: np.ndarray


def paste(pixels: np.ndarray, crop: np.ndarray, *, quad: np.ndarray, landmarks: np.ndarray, feather: float) -> Pasted:
    """Replace the face at `landmarks` by that of `crop`.

    pixels: uint8 [H, W, 3]; crop: uint8 [S, S, 3], what the crop quad `quad` [4, 2] shall show; feather: width of the
    blended border outside the face oval, as a share of the crop's side. Outside of `region` not a bit changes.
    """
    oval = face_oval(landmarks)
    side = float(np.linalg.norm(quad[1] - quad[0]))
    box = _bounds(oval, feather * side, pixels.shape)
    region = np.zeros(pixels.shape[:2], dtype=bool)
    if box is None:
        return Pasted(pixels.copy(), region)
    rows, columns = box
    positions = _centres(rows, columns)
    mask = oval_mask(oval, positions, feather * side)
    old = pixels[rows, columns].astype(np.float32)
    new = _warped(crop, quad, positions)
    new = new + _colour_shift(old=old, new=new, inside=mask >= 1.0)
    blended = np.clip(np.rint(old + mask[..., None] * (new - old)), 0, 255).astype(np.uint8)
    result = pixels.copy()
    touched = mask > 0
    result[rows, columns][touched] = blended[touched]
    region[rows, columns] = touched
    return Pasted(result, region)


def _bounds(oval: Oval, feather: float, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """The rows and columns that the mask can reach; None if it lies outside the photo."""
    reach = max(oval.half_width, oval.up_size, oval.down_size) + feather + 2
    left, top = np.floor(oval.centre - reach * 1.5).astype(int)
    right, bottom = np.ceil(oval.centre + reach * 1.5).astype(int)
    rows = slice(max(int(top), 0), min(int(bottom), shape[0]))
    columns = slice(max(int(left), 0), min(int(right), shape[1]))
    return (rows, columns) if rows.stop > rows.start and columns.stop > columns.start else None


def _centres(rows: slice, columns: slice) -> np.ndarray:
    """Positions [h, w, 2] of pixel centres."""
    y, x = np.mgrid[rows, columns]
    return np.stack([x, y], axis=-1) + 0.5


def _warped(crop: np.ndarray, quad: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """What the crop shows at photo positions [h, w, 2]: float [h, w, 3]; its border pixels go on outside of it."""
    axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]], axis=1)
    inside = (positions - quad[0]) @ np.linalg.inv(axes).T
    image = _shrunk(torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float(), float(np.linalg.norm(axes[:, 0])))
    sampled = sample(image, torch.from_numpy(inside * image.shape[-1]).float(), padding="border")
    warped: np.ndarray = sampled[0].permute(1, 2, 0).numpy()
    return warped


def _shrunk(image: Tensor, side: float) -> Tensor:
    """The crop made smaller, without aliasing, if it is larger than its place in the photo."""
    size = max(1, round(side))
    if size >= image.shape[-1]:
        return image
    return functional.interpolate(image, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _colour_shift(*, old: np.ndarray, new: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """What to add to the new face [3] so that its mean colour is the old one's, within bounds."""
    if not inside.any():
        return np.zeros(3, dtype=np.float32)
    shift = (old[inside] - new[inside]).mean(axis=0)
    bounded: np.ndarray = np.clip(shift, -MAX_COLOUR_SHIFT, MAX_COLOUR_SHIFT)
    return bounded
