"""All originals of a dataset as one judge sees them, to be searched for the one most like a new face."""

from collections.abc import Iterable, Iterator
from functools import cached_property

import faiss
import numpy as np

from falco_core.errors import JudgeError
from falco_core.judges.recognisers import Judge
from falco_core.judges.searched import Searched, digests_of
from falco_core.judges.similarity import comparable, similarity

BLOCK = 8192
"""Rows in one piece: growing costs no second copy of everything."""


class Gallery:
    """Embeddings of one judge, each once, searched exactly (faiss). They are all that is kept in memory.

    Add everything before the first search.
    """

    def __init__(self, judge: Judge, *parts: np.ndarray, before: Searched | None = None) -> None:
        """parts: [G, E] each, as of `add`; before: what earlier searches found."""
        self.judge = judge
        self._before = before or Searched.nothing()
        self._blocks: list[np.ndarray] = []
        self._digests: dict[int, None] = {}
        """Of the rows, in order."""
        self._found: list[tuple[np.ndarray, np.ndarray]] = []
        for part in parts:
            self.add(part)

    def add(self, embeddings: np.ndarray) -> None:
        """Add originals [G, E]; raises JudgeError for what could never be found: not finite, or without length."""
        rows = comparable(self.judge.measure, embeddings).astype(np.float32)
        if not np.isfinite(rows).all():
            raise JudgeError(f"judge {self.judge.name}: the originals' embeddings are not finite or have no length")
        for row, digest in zip(rows, digests_of(rows).tolist(), strict=True):
            if digest not in self._digests:
                number = len(self._digests)
                if number % BLOCK == 0:
                    self._blocks.append(np.empty((BLOCK, rows.shape[1]), dtype=np.float32))
                self._blocks[-1][number % BLOCK] = row
                self._digests[digest] = None

    def nearest(self, embeddings: np.ndarray) -> np.ndarray:
        """The similarities [F] of the originals that are most like the embeddings [F, E].

        From `judge.near` on it is a likeness that strangers do not reach, whosever original it is. NaN where an
        embedding is not finite: write tests so that this counts as near. Raises JudgeError if there are no originals.
        """
        if not self._blocks:
            raise JudgeError(f"judge {self.judge.name}: there are no originals to search")
        left = comparable(self.judge.measure, embeddings)
        finite = np.isfinite(left).all(axis=1)
        similarities = np.full(len(left), np.nan, dtype=np.float32)
        if finite.any():
            numbers = self._search(np.ascontiguousarray(left[finite], dtype=np.float32))
            similarities[finite] = similarity(self.judge.measure, left[finite], self._rows(numbers))
        return similarities

    def searched(self) -> Searched:
        """What was found out, for the next time."""
        return Searched.of(self._all_digests, self._found)

    def _search(self, faces: np.ndarray) -> np.ndarray:
        """The number of the row that is nearest to each face [F, E]."""
        digests = digests_of(faces)
        numbers = self._numbers_of(self._before.nearest_to(digests))
        unknown = numbers < 0
        if unknown.any():
            numbers[unknown] = self._nearest_among(self._all(), faces[unknown])
        if not unknown.all() and len(self._unseen):
            known, kept = faces[~unknown], numbers[~unknown]
            other = self._nearest_among(self._new(), known)
            measure = self.judge.measure
            nearer = similarity(measure, known, self._rows(other)) > similarity(measure, known, self._rows(kept))
            numbers[~unknown] = np.where(nearer, other, kept)
        self._found.append((digests, self._all_digests[numbers]))
        return numbers

    def _nearest_among(self, pieces: Iterable[tuple[np.ndarray, np.ndarray]], faces: np.ndarray) -> np.ndarray:
        """Of some rows, piece by piece (their numbers, themselves), the number of the nearest to each face."""
        cosine = self.judge.measure == "cosine"
        metric = faiss.METRIC_INNER_PRODUCT if cosine else faiss.METRIC_L2
        best, found = np.full(len(faces), -np.inf), np.zeros(len(faces), dtype=np.int64)
        for numbers, rows in pieces:
            values, places = faiss.knn(faces, rows, 1, metric=metric)
            likeness = values[:, 0] if cosine else -values[:, 0]
            better = likeness > best
            best, found = np.where(better, likeness, best), np.where(better, numbers[places[:, 0]], found)
        return found

    def _all(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All rows and their numbers, a block at a time."""
        for number, block in enumerate(self._blocks):
            numbers = np.arange(number * BLOCK, min((number + 1) * BLOCK, len(self._digests)))
            yield numbers, block[: len(numbers)]

    def _new(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows that no earlier search has seen."""
        for start in range(0, len(self._unseen), BLOCK):
            numbers = self._unseen[start : start + BLOCK]
            yield numbers, self._rows(numbers)

    def _rows(self, numbers: np.ndarray) -> np.ndarray:
        """Rows [F, E] by their numbers."""
        rows = np.empty((len(numbers), self._blocks[0].shape[1]), dtype=np.float32)
        for block in np.unique(numbers // BLOCK):
            here = numbers // BLOCK == block
            rows[here] = self._blocks[block][numbers[here] % BLOCK]
        return rows

    def _numbers_of(self, digests: np.ndarray) -> np.ndarray:
        """The numbers of the rows with these digests; -1 where there is none."""
        order = self._order
        places = np.minimum(np.searchsorted(self._all_digests, digests, sorter=order), len(order) - 1)
        numbers = order[places]
        return np.where(self._all_digests[numbers] == digests, numbers, -1)

    @cached_property
    def _all_digests(self) -> np.ndarray:
        return np.fromiter(self._digests, dtype=np.uint64, count=len(self._digests))

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self._all_digests)

    @cached_property
    def _unseen(self) -> np.ndarray:
        """The numbers of the rows that no earlier search has seen."""
        return np.flatnonzero(~np.isin(self._all_digests, self._before.originals))
