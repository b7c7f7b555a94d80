"""Putting a new face into its photo, so that it looks as if it belonged."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from falco_core.errors import FaceError
from falco_core.faces.align import extract_crop, landmarks_in_crop, sample
from falco_core.faces.blend import SEAM, Layers, correction, grain
from falco_core.faces.frames import SIZE as FRAME_SIZE
from falco_core.faces.frames import frame_of, painted_over, wears_frame
from falco_core.faces.mask import core_hull, face_mask, features_mask, jaw_mask

WORK = 400
"""Pixels of the crop's side at which light and sharpness are compared in larger faces."""
FRAME_FROM, SURE = 0.3, 0.98
"""Of a frame's picture: less is none. Of the mask: more hides whatever the old face wore."""
FRAME_SOFT = 0.8
"""Standard deviation of the soft edge of a new frame, in pixels of a frame's picture."""
GREY = 0.01
"""Less do the channels of a grey pixel differ."""
LEAST = 1 / 255
"""Of the mask: less changes nothing."""


@dataclass(frozen=True)
class Pasted:
    """A photo uint8 [H, W, 3] with a new face, and the pixels that were touched: bool [H, W]."""

    pixels: np.ndarray
    region: np.ndarray


def paste(pixels: np.ndarray, crop: np.ndarray, *, quad: np.ndarray, landmarks: np.ndarray, mask: np.ndarray) -> Pasted:
    """Replace the face at `landmarks` by that of `crop`.

    pixels: uint8 [H, W, 3]; crop: uint8 [S, S, 3], what the crop quad `quad` [4, 2] shall show; landmarks: [5, 2],
    photo pixels; mask: [T, T] in 0..1, what of the crop quad is face (`mask.face_mask`). Eyes, nose and mouth are
    replaced even if the mask leaves them out. Outside of `region` not a bit changes. Raises FaceError if quad or
    landmarks are no numbers or have no extent.
    """
    _check(quad, landmarks)
    result, region = pixels.copy(), np.zeros(pixels.shape[:2], dtype=bool)
    box = _bounds(quad, pixels.shape)
    if box is None:
        return Pasted(result, region)
    side, core, places = _side(quad), _core(landmarks, *box), _places(quad, *box)
    frames = _frames(pixels, crop, quad, landmarks, mask)
    lost, worn, gained = (_warped_mask(each, places, side) for each in (frames.lost, frames.worn, frames.gained))
    alpha = np.maximum(np.maximum(_warped_mask(mask, places, side), core), gained)
    alpha[alpha < LEAST] = 0.0
    frame = lost > FRAME_FROM
    ends = frame & (alpha < SURE)
    if not alpha.any():
        return Pasted(result, region)
    part = _used(np.maximum(alpha, ends), margin=round(2 * SEAM * side) + 1)
    (rows, columns), places = _within(box, part), np.ascontiguousarray(places[part])
    alpha, core, frame, ends, worn = (each[part] for each in (alpha, core, frame, ends, worn))
    own = face_mask(crop, landmarks_in_crop(landmarks, quad, crop.shape[0]))[0]
    face = np.maximum.reduce([_warped_mask(own, places, side), core, worn])
    seed = int.from_bytes(hashlib.sha256(crop.tobytes()).digest()[:8], "big")
    old, touched = _without(pixels[rows, columns], frame, ends, side), (alpha > 0) | ends
    features, jaw = features_mask(landmarks, rows, columns), jaw_mask(landmarks, rows, columns)
    fitted = _fitted(old, crop, places, Where(alpha, face, core, worn, features, jaw), side)
    noise = grain(old, fitted, alpha, side=side, seed=seed)[..., None]
    fitted, old = fitted + noise, old + ends[..., None] * noise
    blended = old + alpha[..., None] * (_as_grey_as(old[alpha > 0], fitted) - old)
    result[rows, columns][touched] = np.clip(np.rint(blended), 0, 255).astype(np.uint8)[touched]
    region[rows, columns] = touched
    return Pasted(result, region)


def _check(quad: np.ndarray, landmarks: np.ndarray) -> None:
    numbers = np.isfinite(quad).all() and np.isfinite(landmarks).all()
    if not numbers or _side(quad) < 1 or np.ptp(landmarks, axis=0).max() <= 0:
        raise FaceError("A face has no place in its photo: its landmarks coincide or are no numbers.")


def _side(quad: np.ndarray) -> float:
    return float(np.linalg.norm(quad[1] - quad[0]))


def _bounds(quad: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """The rows and columns of the quad and what its edge may look at; None if it lies outside the photo."""
    margin = 2 * SEAM * _side(quad)
    left, top = np.floor(quad.min(axis=0) - margin).astype(int)
    right, bottom = np.ceil(quad.max(axis=0) + margin).astype(int)
    rows = slice(max(int(top), 0), min(int(bottom), shape[0]))
    columns = slice(max(int(left), 0), min(int(right), shape[1]))
    return (rows, columns) if rows.stop > rows.start and columns.stop > columns.start else None


def _used(alpha: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The rows and columns in which a mask is not 0, and a margin."""
    slices = []
    for axis in (1, 0):
        used = np.flatnonzero(alpha.any(axis=axis))
        slices.append(slice(max(int(used[0]) - margin, 0), min(int(used[-1]) + 1 + margin, alpha.shape[1 - axis])))
    return slices[0], slices[1]


def _within(box: tuple[slice, slice], part: tuple[slice, slice]) -> tuple[slice, slice]:
    """The rows and columns of the photo that are a part of a box."""
    rows, columns = (slice(b.start + p.start, b.start + p.stop) for b, p in zip(box, part, strict=True))
    return rows, columns


def _places(quad: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Where in the crop, as shares of its side, the centres of photo pixels lie: float32 [h, w, 2]."""
    axes = np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]], axis=1))
    x = np.arange(columns.start, columns.stop) + 0.5 - quad[0][0]
    y = np.arange(rows.start, rows.stop) + 0.5 - quad[0][1]
    places: np.ndarray = x[None, :, None] * axes[:, 0] + y[:, None, None] * axes[:, 1]
    return places.astype(np.float32)


@dataclass(frozen=True)
class Where:
    """Masks float32 [h, w] in photo pixels: see `blend.Layers`."""

    alpha: np.ndarray
    face: np.ndarray
    core: np.ndarray
    worn: np.ndarray
    features: np.ndarray
    jaw: np.ndarray


def _fitted(old: np.ndarray, crop: np.ndarray, places: np.ndarray, where: Where, side: float) -> np.ndarray:
    """The new face as the photo would show it: float32 [h, w, 3] for float32 [h, w, 3]."""
    new = _warped(crop, places, side)
    scale = min(1.0, WORK / side)
    layers = Layers(
        old=_scaled(old, scale),
        new=_scaled(new, scale),
        mask=_scaled(where.alpha, scale),
        face=_scaled(where.face, scale),
        core=_scaled(where.core, scale),
        worn=_scaled(where.worn, scale),
        features=_scaled(where.features, scale),
        jaw=_scaled(where.jaw, scale),
        side=side * scale,
    )
    fit = correction(layers)
    change = fit.change
    if scale < 1:
        change = cv2.resize(change, old.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(fit.applied(new, change), dtype=np.float32)


def _as_grey_as(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The new face [h, w, 3], grey if all pixels [N, 3] of the old one are."""
    if (np.ptp(old, axis=1) < GREY).all():
        return np.repeat(new.mean(axis=2, keepdims=True), 3, axis=2)
    return new


@dataclass(frozen=True)
class Frames:
    """Glasses' frames as pictures of the crop quad, [S, S] in 0..1, empty where there is none.

    lost: the old face's that the new one does not wear; worn: the new face's; gained: the same, if the old one wore
    none.
    """

    lost: np.ndarray
    worn: np.ndarray
    gained: np.ndarray


def _frames(pixels: np.ndarray, crop: np.ndarray, quad: np.ndarray, landmarks: np.ndarray, mask: np.ndarray) -> Frames:
    """The frames of the old face and of the new one."""
    before, own = extract_crop(pixels, quad, FRAME_SIZE), landmarks_in_crop(landmarks, quad, FRAME_SIZE)
    size, none = (FRAME_SIZE, FRAME_SIZE), np.zeros((1, 1), dtype=np.float32)
    had, has = wears_frame(before, own), wears_frame(crop, own * (len(crop) / FRAME_SIZE))
    if not (had or has):
        return Frames(none, none, none)
    inside = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    if not has:
        return Frames(frame_of(before, own, inside), none, none)
    how = cv2.INTER_AREA if len(crop) > FRAME_SIZE else cv2.INTER_CUBIC
    new = np.asarray(cv2.resize(crop, size, interpolation=how))
    worn = np.asarray(cv2.GaussianBlur(frame_of(new, own, inside, around=1), (0, 0), FRAME_SOFT))
    return Frames(none, worn, none if had else worn)


def _without(old: np.ndarray, frame: np.ndarray, ends: np.ndarray, side: float) -> np.ndarray:
    """The old photo, uint8 [h, w, 3] -> float32, in which `ends` of a frame are painted over."""
    photo = old.astype(np.float32)
    if not ends.any():
        return photo
    scale = min(1.0, WORK / side)
    small = _scaled(old, scale), _scaled(frame.astype(np.float32), scale) > 0
    painted = painted_over(*small).astype(np.float32)
    if scale < 1:
        painted = np.asarray(cv2.resize(painted, old.shape[1::-1], interpolation=cv2.INTER_LINEAR))
    return np.asarray(np.where(ends[..., None], painted, photo))


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _core(landmarks: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """1 in the part of the face that must never stay, 0 elsewhere: float32 [h, w]."""
    filled = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)
    corners = core_hull(landmarks) - [columns.start + 0.5, rows.start + 0.5]
    cv2.fillConvexPoly(filled, np.rint(corners).astype(np.int32), 1.0)
    return filled


def _warped_mask(mask: np.ndarray, places: np.ndarray, side: float) -> np.ndarray:
    """The crop's mask at photo places: float32 [h, w], 0 outside of the crop."""
    image = _shrunk(torch.from_numpy(mask.astype(np.float32))[None, None], side)
    x, y = (np.ascontiguousarray(places[..., axis] * image.shape[-1] - 0.5) for axis in (0, 1))
    warped: np.ndarray = cv2.remap(image[0, 0].numpy(), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return warped


def _warped(crop: np.ndarray, places: np.ndarray, side: float) -> np.ndarray:
    """What the crop shows at photo places [h, w, 2]: float32 [h, w, 3]; its border pixels go on outside of it."""
    image = _shrunk(torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float(), side)
    sampled = sample(image, torch.from_numpy(places * image.shape[-1]), padding="border")
    warped: np.ndarray = sampled[0].permute(1, 2, 0).contiguous().numpy()
    return np.asarray(np.clip(warped, 0, 255))


def _shrunk(image: Tensor, side: float) -> Tensor:
    """The crop made smaller, without aliasing, if it is larger than its place in the photo."""
    size = max(1, round(side))
    if size >= image.shape[-1]:
        return image
    return functional.interpolate(image, size=(size, size), mode="bicubic", antialias=True, align_corners=False)
