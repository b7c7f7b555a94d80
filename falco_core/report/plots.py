"""Curves of a run as small tables (CSV) that tell of no single photo: `dvc plots` draws them, and several versions
together.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from falco_core.store.rows import Anonymized

BINS = np.linspace(-1.0, 1.0, 41)
"""Edges of the bins of recogniser cosines."""


def similarity_histogram(faces: Iterable[Anonymized]) -> str:
    """CSV: similarity (a bin's middle), before, after: shares of all faces by their recogniser cosine to the original
    before the first and after the last step of their last attempt.
    """
    last = [face.attempts[-1] for face in faces]
    before, after = (_shares(values) for values in ([a.cosine_start for a in last], [a.cosine for a in last]))
    return _csv(("similarity", "before", "after"), zip(_middles(), before, after, strict=True))


def privacy_utility(cosines: Mapping[str, float], kept: Mapping[str, float]) -> str:
    """CSV: similarity (a bin's middle), attribute_similarity (mean of its faces), faces (their number).

    cosines: of a face (id) the recogniser's to its original; kept: of a finished face FaRL's. Bins without a face are
    left out.
    """
    pairs = [(cosines[face], value) for face, value in kept.items() if face in cosines]
    found = np.array([pair for pair in pairs if np.isfinite(pair).all()], dtype=float).reshape(-1, 2)
    bins = _bins(found[:, 0])
    rows = [
        (middle, found[bins == number, 1].mean(), int((bins == number).sum()))
        for number, middle in enumerate(_middles())
        if (bins == number).any()
    ]
    return _csv(("similarity", "attribute_similarity", "faces"), rows)


def _shares(values: Sequence[float]) -> np.ndarray:
    """The share of the values in each bin; what is no number is in none."""
    finite = np.array([value for value in values if np.isfinite(value)], dtype=float)
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
