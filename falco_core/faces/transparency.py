"""Faces that only transparency draws: what a viewer sees of a photo on white, on black, and of its alpha channel."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from falco_core.faces.centerface import overlaps
from falco_core.faces.find import FoundFace
from falco_core.photos.codec import Photo

HEAD = 1.6
"""What becomes opaque around a face, as a multiple of its box."""
KNOWN = 0.5
"""Overlap (intersection over union) from which a face is one that the colours themselves show."""
ROUNDS = 3
"""How often faces are looked for before the photo is given up."""


def without_drawn_faces(
    photo: Photo, find: Callable[[np.ndarray], list[FoundFace]], known: Sequence[FoundFace]
) -> Photo | None:
    """The photo, opaque wherever its transparency shows a face that its colours do not; None if that does not help.

    known: the faces that its colours show, as `find` sees them: these are drawn over, and opaque then.
    """
    if photo.alpha is None or (photo.alpha == 255).all():
        return photo
    alpha = photo.alpha
    for _ in range(ROUNDS):
        faces = [face for view in _views(photo.pixels, alpha) for face in find(view) if not _among(face, known)]
        if not faces:
            return replace(photo, alpha=alpha)
        alpha = alpha.copy()
        for face in faces:
            alpha[_head(face.box)] = 255
    return None


def _views(pixels: np.ndarray, alpha: np.ndarray) -> Iterator[np.ndarray]:
    """What can be seen of a photo: on white, on black, and the alpha channel alone, uint8 [H, W, 3] each."""
    share = alpha[..., None].astype(np.float32) / 255
    on_black = np.rint(pixels * share)
    yield on_black.astype(np.uint8)
    yield np.rint(on_black + 255 * (1 - share)).astype(np.uint8)
    yield np.repeat(alpha[..., None], 3, axis=2)


def _among(face: FoundFace, known: Sequence[FoundFace]) -> bool:
    boxes = np.stack([each.box for each in known]) if known else np.empty((0, 4))
    return bool((overlaps(face.box, boxes)[0] >= KNOWN).any()) if len(boxes) else False


def _head(box: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the head around a face's box."""
    corners = np.asarray(box, dtype=np.float64).reshape(2, 2)
    middle, half = corners.mean(axis=0), (corners[1] - corners[0]) / 2 * HEAD
    left, top = np.floor(np.maximum(middle - half, 0)).astype(int)
    right, bottom = np.ceil(np.maximum(middle + half, 0)).astype(int)
    return slice(int(top), int(bottom)), slice(int(left), int(right))
