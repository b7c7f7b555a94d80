"""Nearest generated face of each real face (FALCO, section 3.2), by an exact faiss index."""

from typing import Literal

import faiss
import numpy as np

from falco_core.errors import ProjectError

Metric = Literal["cosine", "euclidean"]


class FakePool:
    """The features of a fake pool, indexed once."""

    def __init__(self, features: np.ndarray, metric: Metric) -> None:
        """features: [K, F] float32, one row per fake."""
        if len(features) == 0:
            raise ProjectError("the fake pool is empty: set sample.count to 1 or more")
        self._cosine = metric == "cosine"
        self._index = (faiss.IndexFlatIP if self._cosine else faiss.IndexFlatL2)(features.shape[1])
        self._index.add(self._prepared(features))

    def nearest(self, features: np.ndarray, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """For features [N, F]: the nearest fakes' rows [N, K] (int) and distances [N, K], nearest first.

        K is `count`, or all there are. The distance is 1 - cosine, or the Euclidean distance.
        """
        values, rows = self._index.search(self._prepared(features), min(count, self._index.ntotal))
        distances = 1.0 - values if self._cosine else np.sqrt(np.maximum(values, 0.0))
        # Features that are not numbers have no neighbour (-1): any fake will do, the solver gives up on such a face.
        return np.maximum(rows, 0), distances.astype(np.float32)

    def _prepared(self, features: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(features, dtype=np.float32)
        if self._cosine:
            rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return rows
