"""How alike two embeddings are, in the measure that a recogniser was made for: row by row and all with all."""

from typing import Literal

import numpy as np

Measure = Literal["cosine", "distance"]
"""`cosine` of the embeddings, or 1 - their Euclidean `distance`: higher is more alike, 1 is equal, in both."""


def similarity(measure: Measure, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[F, E] and [F, E] -> [F] float32, row by row; NaN where a row is not finite or, for cosines, has no length."""
    left, right = comparable(measure, left), comparable(measure, right)
    if left.shape != right.shape:
        raise ValueError(f"rows to compare differ in shape: {left.shape} and {right.shape}")
    cosine = measure == "cosine"
    values = np.einsum("fe,fe->f", left, right) if cosine else 1.0 - np.linalg.norm(left - right, axis=1)
    return np.asarray(values, dtype=np.float32)


def similarity_matrix(measure: Measure, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[F, E] and [G, E] -> [F, G] float32: every left row with every right row."""
    left, right = comparable(measure, left), comparable(measure, right)
    if measure == "cosine":
        return np.asarray(left @ right.T, dtype=np.float32)
    distances = [np.linalg.norm(right - row, axis=1) for row in left]
    return np.asarray(1.0 - np.reshape(distances, (len(left), len(right))), dtype=np.float32)


def comparable(measure: Measure, embeddings: np.ndarray) -> np.ndarray:
    """float64 [F, E]; of unit length for cosines, so that no caller's lengths can move an angle."""
    rows = np.atleast_2d(np.asarray(embeddings, dtype=np.float64))
    if measure == "cosine":
        with np.errstate(invalid="ignore", divide="ignore"):
            # A row without length has no angle: 0 / 0 is NaN, which nobody takes for a stranger.
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
