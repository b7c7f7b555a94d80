"""What align finds in a photo: its faces, their crops and masks, and what each of them gets."""

import hashlib

import numpy as np

from falco_core.faces.align import crop_quad, extract_crop, landmarks_in_crop
from falco_core.faces.find import Finder
from falco_core.faces.mask import face_mask, mask_of_bytes, mask_to_bytes
from falco_core.faces.place import sound_landmarks
from falco_core.faces.treatment import Limits, why_concealed
from falco_core.photos.codec import Photo, pixels_of, png_of
from falco_core.reasons import Reason
from falco_core.store.rows import AlignedPhoto, FoundFaceRow


def align_photo(photo: Photo, finder: Finder, limits: Limits, size: int, *, name: str) -> AlignedPhoto:
    """Find and crop (to `size` pixels) the faces of a photo; `name` begins their ids. Without a face it is withheld."""
    height, width = photo.pixels.shape[:2]
    faces = finder.find(photo.pixels)
    if not faces:
        return AlignedPhoto(width, height, Reason.NO_FACE_FOUND, "the detector finds no face")
    rows, crops, masks = [], [], []
    for index, face in enumerate(faces):
        landmarks = sound_landmarks(face)
        quad = crop_quad(landmarks)
        crop = extract_crop(photo.pixels, quad, size)
        mask, quality = face_mask(crop, landmarks_in_crop(landmarks, quad, size))
        cause = why_concealed(face, photo.pixels.shape, quality.covered, limits)
        crops.append(crop)
        masks.append(mask_to_bytes(mask))
        rows.append(
            FoundFaceRow(
                face=f"{name}-{index:02d}",
                crop_sha256=hashlib.sha256(crop.tobytes()).hexdigest(),
                score=float(face.score),
                mtcnn_score=float(face.mtcnn_score),
                views=",".join(face.views),
                cause=cause,
                box=_flat(face.box),
                landmarks=_flat(landmarks),
                quad=_flat(quad),
            )
        )
    pictures = (png_of(np.concatenate(crops)), png_of(np.concatenate(masks)))
    return AlignedPhoto(width, height, None, "", tuple(rows), *pictures)


def crops_of(photo: AlignedPhoto) -> np.ndarray:
    """The crops of a photo's faces: uint8 [F, S, S, 3]."""
    return _stacked(pixels_of(photo.crops))


def masks_of(photo: AlignedPhoto) -> np.ndarray:
    """What of each crop is face: float32 [F, S, S] in 0..1."""
    return mask_of_bytes(_stacked(pixels_of(photo.masks)))


def shares_of(face: FoundFaceRow) -> np.ndarray:
    """A face's landmarks [5, 2] as shares of its crop quad's sides."""
    points, quad = (np.asarray(flat).reshape(-1, 2) for flat in (face.landmarks, face.quad))
    return landmarks_in_crop(points, quad, 1).round(6)


def _stacked(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(-1, pixels.shape[1], *pixels.shape[1:])


def _flat(points: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in np.asarray(points, dtype=np.float64).ravel())
