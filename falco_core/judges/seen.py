"""What judges saw of faces, and the names under which it is kept."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from falco_core.errors import StoreError

When = Literal["original", "first", "last", "drawn"]
"""Of a face: in the original photo; in its finished photo, when the second look saw it first and last; the new crop."""


def reference(judge: str) -> str:
    """Name of the array of an inversion that holds a judge's embedding of the original."""
    return f"judge_{judge}"


@dataclass(frozen=True)
class Seen:
    """What each judge saw of each face of a photo: [F, E] by when and judge. Without a crop, `drawn` is NaN."""

    embeddings: Mapping[tuple[When, str], np.ndarray]

    def to_bytes(self) -> bytes:
        """As it is kept."""
        return bytes(save({f"{when} {judge}": array for (when, judge), array in self.embeddings.items()}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Seen":
        """The inverse of `to_bytes`; raises StoreError."""
        try:
            arrays = load(data) if data else {}
        except SafetensorError as error:
            raise StoreError(f"embeddings cannot be read: {error}") from None
        found: dict[tuple[When, str], np.ndarray] = {}
        for name, array in arrays.items():
            when, judge = name.split(" ", 1)
            found[when, judge] = array
        return cls(found)

    def of(self, when: When, judge: str) -> np.ndarray:
        """[F, E]; [0, 1] if nothing was seen."""
        return self.embeddings.get((when, judge), np.zeros((0, 1), dtype=np.float32))


def joined(photos: Iterable[Seen], judge: str) -> Seen:
    """What one judge saw of the faces of several photos, one below the other."""
    found: dict[When, list[np.ndarray]] = defaultdict(list)
    for photo in photos:
        for when, rows in ((when, photo.of(when, judge)) for when in get_args(When)):
            if len(rows):
                found[when].append(rows)
    return Seen({(when, judge): np.concatenate(rows) for when, rows in found.items()})
