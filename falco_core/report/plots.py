"""Curves of a run as small tables (CSV) that tell of no single photo: `dvc plots` draws them, and several versions
together.
"""

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np

BINS = np.linspace(-1.0, 1.0, 41)
"""Edges of the bins of recogniser cosines."""


def similarity_histogram(before: np.ndarray, after: np.ndarray) -> str:
    """CSV: similarity (a bin's middle), before, after: shares of all faces by their recogniser cosine to the original
    before the first and after the last step of their last attempt [F].
    """
    return _csv(("similarity", "before", "after"), zip(_middles(), _shares(before), _shares(after), strict=True))


def privacy_utility(pairs: np.ndarray) -> str:
    """CSV: similarity (a bin's middle), attribute_similarity (mean of its faces), faces (their number).

    pairs: [F, 2] of finished faces the recogniser's cosine to their originals, and FaRL's. Bins without a face are left
    out.
    """
    found = pairs[np.isfinite(pairs).all(axis=1)]
    bins = _bins(found[:, 0])
    rows = [
        (middle, found[bins == number, 1].mean(), int((bins == number).sum()))
        for number, middle in enumerate(_middles())
        if (bins == number).any()
    ]
    return _csv(("similarity", "attribute_similarity", "faces"), rows)


def _shares(values: np.ndarray) -> np.ndarray:
    """The share of the values in each bin; what is no number is in none."""
    finite = values[np.isfinite(values)]
    return np.bincount(_bins(finite), minlength=len(BINS) - 1) / max(1, len(values))


def _bins(values: np.ndarray) -> np.ndarray:
    """The number of each value's bin."""
    return np.asarray(np.clip(np.digitize(values, BINS) - 1, 0, len(BINS) - 2))


def _middles() -> np.ndarray:
    return (BINS[:-1] + BINS[1:]) / 2


def _csv(names: Sequence[str], rows: Iterable[Iterable[float]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([round(value, 4) if isinstance(value, float) else value for value in row] for row in rows)
    return file.getvalue()
