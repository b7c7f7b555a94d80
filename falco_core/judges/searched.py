"""What a search among all originals found, kept: with a photo more, old faces are compared with new originals alone.

It saves time and decides nothing: how near a face is to the original that is named here is computed from both
embeddings, and a face or an original that is not in it is searched for in full.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from falco_core.files import open_regular, write_bytes

_SHA256 = 32
NOBODY = np.uint64(0)


@dataclass(frozen=True)
class Searched:
    """The originals of a gallery, and of faces the nearest of these; all by digests of their embeddings (uint64)."""

    originals: np.ndarray
    """[G]."""
    faces: np.ndarray
    """[F], ascending."""
    nearest: np.ndarray
    """[F], of `faces`."""

    @classmethod
    def nothing(cls) -> "Searched":
        """No search yet."""
        empty = np.zeros(0, dtype=np.uint64)
        return cls(empty, empty, empty)

    @classmethod
    def of(cls, originals: np.ndarray, found: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Searched":
        """Of the results of searches: digests of faces, and of the nearest original to each."""
        empty = np.zeros(0, dtype=np.uint64)
        faces = np.concatenate([empty, *(part[0] for part in found)])
        nearest = np.concatenate([empty, *(part[1] for part in found)])
        faces, first = np.unique(faces, return_index=True)
        return cls(originals, faces, nearest[first])

    @classmethod
    def read(cls, path: Path) -> "Searched":
        """What `write` wrote; nothing if it is missing, damaged, or of another version."""
        try:
            with open_regular(path) as file:
                digest, data = file.read(_SHA256), file.read()
            if hashlib.sha256(data).digest() != digest:
                return cls.nothing()
            arrays = load(data)
            return cls(arrays["originals"], arrays["faces"], arrays["nearest"])
        except (OSError, ValueError, KeyError):
            return cls.nothing()

    def write(self, path: Path) -> None:
        """Keep it in a file, whole or not at all; its folder is made."""
        data = save({"originals": self.originals, "faces": self.faces, "nearest": self.nearest})
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, hashlib.sha256(data).digest() + data)

    def nearest_to(self, faces: np.ndarray) -> np.ndarray:
        """The nearest original to each face, by digests [F]; NOBODY where it is not known."""
        if not len(self.faces):
            return np.full(len(faces), NOBODY)
        places = np.minimum(np.searchsorted(self.faces, faces), len(self.faces) - 1)
        return np.where(self.faces[places] == faces, self.nearest[places], NOBODY)


@dataclass(frozen=True)
class Searches:
    """A folder with what searches found, each under a name; None: nothing is kept."""

    folder: Path | None = None

    def before(self, name: str) -> Searched:
        """What the last search of this name found."""
        return Searched.nothing() if self.folder is None else Searched.read(self.folder / name)

    def keep(self, name: str, found: Searched) -> None:
        """Let `before` find it."""
        if self.folder is not None:
            found.write(self.folder / name)


NOWHERE = Searches()
"""Where nothing is kept."""


def digests_of(rows: np.ndarray) -> np.ndarray:
    """The first 64 bits of each row's sha256, uint64 [N], never NOBODY; rows: float32 [N, E]."""
    digests = (hashlib.sha256(row.tobytes()).digest()[:8] for row in np.ascontiguousarray(rows))
    return np.fromiter((int.from_bytes(each, "little") or 1 for each in digests), dtype=np.uint64, count=len(rows))
