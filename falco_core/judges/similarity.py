"""How alike two embeddings are, in the measure that a recogniser was made for: row by row, all with all, nearest."""

from typing import Literal

import faiss
import numpy as np

Measure = Literal["cosine", "distance"]
"""`cosine` of the embeddings, or 1 - their Euclidean `distance`: higher is more alike, 1 is equal, in both."""


def similarity(measure: Measure, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[F, E] and [F, E] -> [F] float32, row by row; NaN where a row is not finite or, for cosines, has no length."""
    left, right = _rows(measure, left), _rows(measure, right)
    if left.shape != right.shape:
        raise ValueError(f"rows to compare differ in shape: {left.shape} and {right.shape}")
    cosine = measure == "cosine"
    values = np.einsum("fe,fe->f", left, right) if cosine else 1.0 - np.linalg.norm(left - right, axis=1)
    return np.asarray(values, dtype=np.float32)


def similarity_matrix(measure: Measure, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[F, E] and [G, E] -> [F, G] float32: every left row with every right row."""
    left, right = _rows(measure, left), _rows(measure, right)
    if measure == "cosine":
        return np.asarray(left @ right.T, dtype=np.float32)
    distances = [np.linalg.norm(right - row, axis=1) for row in left]
    return np.asarray(1.0 - np.reshape(distances, (len(left), len(right))), dtype=np.float32)


def nearest(measure: Measure, embeddings: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For [F, E] the most similar of `gallery` [G, E]: its rows [F] (int64) and similarities [F]; exact (faiss).

    Where `embeddings` has no finite row the row is -1 and the similarity NaN. Raises ValueError for an empty gallery
    or one with rows that are not finite: what cannot be compared would never be found.
    """
    left, right = _rows(measure, embeddings), _rows(measure, gallery)
    if len(right) == 0 or not np.isfinite(right).all():
        raise ValueError("the originals to search are none, or hold embeddings that are not finite or have no length")
    index = (faiss.IndexFlatIP if measure == "cosine" else faiss.IndexFlatL2)(right.shape[1])
    index.add(np.ascontiguousarray(right, dtype=np.float32))
    known = np.isfinite(left).all(axis=1)
    rows = np.full(len(left), -1, dtype=np.int64)
    similarities = np.full(len(left), np.nan, dtype=np.float32)
    if known.any():
        rows[known] = index.search(np.ascontiguousarray(left[known], dtype=np.float32), 1)[1][:, 0]
        similarities[known] = similarity(measure, left[known], right[rows[known]])
    return rows, similarities


def _rows(measure: Measure, embeddings: np.ndarray) -> np.ndarray:
    """float64 [F, E]; of unit length for cosines, so that no caller's lengths can move an angle."""
    rows = np.atleast_2d(np.asarray(embeddings, dtype=np.float64))
    if measure == "cosine":
        with np.errstate(invalid="ignore", divide="ignore"):
            # A row without length has no angle: 0 / 0 is NaN, which nobody takes for a stranger.
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
