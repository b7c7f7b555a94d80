"""All originals of a dataset as one judge sees them, to be searched for the one most like a new face."""

import faiss
import numpy as np

from falco_core.errors import JudgeError
from falco_core.judges.recognisers import Judge
from falco_core.judges.similarity import comparable, similarity


class Gallery:
    """Embeddings of one judge, added part by part and searched exactly (faiss). They are all that is kept in memory."""

    def __init__(self, judge: Judge, *parts: np.ndarray) -> None:
        """parts: [G, E] each, as of `add`."""
        self.judge = judge
        self._index: faiss.Index | None = None
        for part in parts:
            self.add(part)

    def add(self, embeddings: np.ndarray) -> None:
        """Add originals [G, E]; raises JudgeError for what could never be found: not finite, or without length."""
        rows = comparable(self.judge.measure, embeddings).astype(np.float32)
        if not np.isfinite(rows).all():
            raise JudgeError(f"judge {self.judge.name}: the originals' embeddings are not finite or have no length")
        if len(rows) and self._index is None:
            self._index = (faiss.IndexFlatIP if self.judge.measure == "cosine" else faiss.IndexFlatL2)(rows.shape[1])
        if self._index is not None and len(rows):
            self._index.add(np.ascontiguousarray(rows))

    def nearest(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of all originals those most like the embeddings [F, E]: their numbers [F] (int64) and the similarities [F].

        From `judge.near` on it is a likeness that strangers do not reach, whosever original it is. (-1, NaN) where an
        embedding is not finite: write tests so that this counts as near. Raises JudgeError if there are no originals.
        """
        left = comparable(self.judge.measure, embeddings)
        if self._index is None:
            raise JudgeError(f"judge {self.judge.name}: there are no originals to search")
        known = np.isfinite(left).all(axis=1)
        numbers = np.full(len(left), -1, dtype=np.int64)
        similarities = np.full(len(left), np.nan, dtype=np.float32)
        if known.any():
            wanted = np.ascontiguousarray(left[known], dtype=np.float32)
            numbers[known] = self._index.search(wanted, 1)[1][:, 0]
            found = self._index.reconstruct_batch(numbers[known])
            similarities[known] = similarity(self.judge.measure, left[known], found)
        return numbers, similarities
