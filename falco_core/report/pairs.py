"""Pairs of photos before and after, for the contact sheets."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from falco_core.errors import UnreadablePhoto
from falco_core.photos.codec import decode_photo, load_photo
from falco_core.report.sheet import BeforeAfter, Outline, thumbnail
from falco_core.store.artifact import Artifact
from falco_core.store.rows import Check, ComposedPhoto, PhotoOutcome


def most_in_need(rows: Sequence[PhotoOutcome], count: int) -> list[PhotoOutcome]:
    """The `count` photos that most need a look, these first."""
    return sorted(rows, key=lambda row: (-row.risk, row.photo))[:count]


def before_and_after(
    rows: Iterable[PhotoOutcome], photos: Path, composed: Artifact[ComposedPhoto], *, max_pixels: int, outline: bool
) -> Iterator[BeforeAfter]:
    """Each photo as it lies in the folder `photos`, and as it is to be released; outline: frame what was drawn over."""
    buckets = composed.buckets
    for row in rows:
        finished = _finished(composed, buckets, row.sha256)
        checks = finished.checks if finished is not None else ()
        before = after = None
        size = np.ones(2)
        try:
            pixels = load_photo(photos / row.photo, max_pixels=max_pixels).pixels
            before, size = thumbnail(pixels), np.array([pixels.shape[1], pixels.shape[0]], dtype=float)
        except UnreadablePhoto:
            pass
        if finished is not None and row.file is not None:
            after = thumbnail(decode_photo(finished.file, max_pixels=max_pixels).pixels)
        frames = tuple(Outline(np.asarray(check.box) / np.tile(size, 2), check.treatment) for check in checks)
        yield BeforeAfter(row.photo, before, after, row.reason or "", _note(checks), frames if outline else ())


def _finished(composed: Artifact[ComposedPhoto], buckets: Sequence[str], sha256: str) -> ComposedPhoto | None:
    """The photo's row, with its file; None if it never came to be composed."""
    bucket = next((name for name in buckets if sha256.startswith(name)), None)
    if not sha256 or bucket is None:
        return None
    found = composed.find(bucket, sha256, heavy=("file",))
    return None if found is None else found.row


def _note(checks: Sequence[Check]) -> str:
    """Like `2 replaced, 1 concealed (too_small)`."""
    causes = Counter(str(check.cause) for check in checks if check.cause is not None)
    replaced = f"{len(checks) - causes.total()} replaced"
    if not causes:
        return replaced
    why = ", ".join(f"{cause} x {count}" if count > 1 else cause for cause, count in sorted(causes.items()))
    return f"{replaced}, {causes.total()} concealed ({why})"
