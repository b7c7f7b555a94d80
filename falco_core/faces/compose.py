"""Putting a new face into its photo: inverse warp, a mask over the whole face, colours matched to the old one."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from falco_core.faces.align import sample

# The face oval in units of the distances between the landmarks. Generous: it must cover brows, cheeks and chin of
# every face, since whatever lies outside of it stays the original.
HALF_WIDTH_EYES = 1.05
HALF_WIDTH_HEIGHT = 0.88
ABOVE_EYES = 0.82
BELOW_MOUTH = 0.92
"""A laughing mouth's corners are far above its chin."""
TURN_WIDENS = 0.5
TURN_SHIFTS = 0.6
"""Per offset of the nose: a turned face shows more cheek and jaw behind the eyes, and its nose still lies inside."""
# Squarer than an ellipse, for jaws.
EXPONENT = 2.4
MAX_COLOUR_SHIFT = 48.0


@dataclass(frozen=True)
class Pasted:
    """A photo uint8 [H, W, 3] with a new face, and the pixels that were touched: bool [H, W]."""

    pixels: np.ndarray
    region: np.ndarray


@dataclass(frozen=True)
class Oval:
    """The face's outline in the photo: centre and axes [2] as unit vectors, half sizes in pixels."""

    centre: np.ndarray
    across: np.ndarray
    down: np.ndarray
    half_width: float
    up_size: float
    down_size: float

    def distance(self, positions: np.ndarray) -> np.ndarray:
        """positions [h, w, 2] -> [h, w]: 0 at the centre, 1 on the outline."""
        offset = positions - self.centre
        x = np.abs(offset @ self.across) / self.half_width
        y = offset @ self.down
        y = np.where(y < 0, -y / self.up_size, y / self.down_size)
        distance: np.ndarray = (x**EXPONENT + y**EXPONENT) ** (1 / EXPONENT)
        return distance


def face_oval(landmarks: np.ndarray) -> Oval:
    """The oval that covers the face of landmarks [5, 2], from above the brows to below the chin."""
    points = np.asarray(landmarks, dtype=np.float64)
    eye, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    height = max(float(np.hypot(*(mouth - eye))), 1e-6)
    width = float(np.hypot(*(points[1] - points[0])))
    down = (mouth - eye) / height
    across = np.array([down[1], -down[0]])
    # On a turned face the eyes move together, so the height decides; the nose says to which side it is turned.
    turned = float((points[2] - (eye + mouth) / 2) @ across)
    centre = (eye + mouth) / 2 - TURN_SHIFTS * turned * across
    return Oval(
        centre=centre,
        across=across,
        down=down,
        half_width=max(HALF_WIDTH_EYES * width, HALF_WIDTH_HEIGHT * height + TURN_WIDENS * abs(turned)),
        up_size=(0.5 + ABOVE_EYES) * height,
        down_size=(0.5 + BELOW_MOUTH) * height,
    )


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
    mask = _mask(oval, positions, feather * side)
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


def _mask(oval: Oval, positions: np.ndarray, feather: float) -> np.ndarray:
    """1 inside the oval, smoothly to 0 over `feather` pixels outside of it: [h, w]."""
    nearest = min(oval.half_width, oval.up_size, oval.down_size)
    way = np.clip((oval.distance(positions) - 1.0) * nearest / max(feather, 1e-6), 0.0, 1.0)
    return (1.0 - way * way * (3.0 - 2.0 * way)).astype(np.float32)


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
