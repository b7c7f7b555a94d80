"""What is asked of one new face alone: by `anonymize` of every attempt, by the second look of the finished file."""

import numpy as np

from falco_core.judges.likeness import is_copy, pixel_likeness
from falco_core.judges.recognisers import Judge
from falco_core.judges.similarity import similarity


def likeness(original: np.ndarray, shown: np.ndarray, drawn: np.ndarray | None) -> float:
    """Likeness (0..1) of what is shown to the original; 1 if the crop that was drawn is the original itself.

    original, shown, drawn: aligned crops of one place, uint8 [S, S, 3]; drawn: before light, mask and edge disguised it
    (None: the face was concealed).
    """
    if drawn is not None and is_copy(original, drawn):
        return 1.0
    return pixel_likeness(original, shown)


def disguised(judge: Judge, reference: np.ndarray, crop: np.ndarray, landmarks: np.ndarray) -> float:
    """A judge's highest similarity of a face made grey, and turned by quarters; NaN if one is NaN.

    reference: the original's embedding [E]; crop: aligned, uint8 [S, S, 3]; landmarks: [5, 2], crop pixels.
    """
    grey = np.repeat(np.rint(crop.mean(axis=2, keepdims=True)).astype(np.uint8), 3, axis=2)
    views = [grey, *(np.ascontiguousarray(np.rot90(crop, turns)) for turns in (1, 2, 3))]
    embeddings = np.stack([judge.embed(view, [landmarks])[0] for view in views])
    return float(similarity(judge.measure, embeddings, np.repeat(reference[None], len(views), axis=0)).max())


def upright(judge: Judge, reference: np.ndarray, pixels: np.ndarray, landmarks: np.ndarray) -> float:
    """A judge's similarity of the face at landmarks [5, 2] of uint8 [H, W, 3] to the original's embedding [E]."""
    return float(similarity(judge.measure, judge.embed(pixels, [landmarks]), reference[None])[0])


def redrawn(judge: Judge, reference: np.ndarray, drawn: np.ndarray, landmarks: np.ndarray) -> bool:
    """Whether the crop that was drawn is nearer to the original than strangers ever are, whatever its new place hides.

    reference: [E]; drawn: aligned, uint8 [S, S, 3]; landmarks: [5, 2], crop pixels. True for what is no number.
    """
    return not upright(judge, reference, drawn, landmarks) < judge.near
