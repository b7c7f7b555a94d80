"""Arrays of many items as a folder of safetensors shards, row i belonging to row i of the stage's table."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from falco_core.errors import ProjectError

ROWS_PER_SHARD = 1024


def write_shards(folder: Path, rows: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Write the rows (same array names and shapes in each) in shards of ROWS_PER_SHARD."""
    folder.mkdir(parents=True, exist_ok=True)
    iterator = iter(rows)
    number = 0
    while chunk := list(islice(iterator, ROWS_PER_SHARD)):
        arrays = {name: np.stack([row[name] for row in chunk]) for name in chunk[0]}
        save_file(arrays, _shard(folder, number))
        number += 1


class Shards:
    """Random access to the rows of a shard folder without loading it as a whole."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ProjectError(f"{folder} is missing: run the stage that makes it (`dvc repro`)")
        self._folder = folder

    def row(self, name: str, index: int) -> np.ndarray:
        """Array `name` of row `index`."""
        number, offset = divmod(index, ROWS_PER_SHARD)
        with safe_open(_shard(self._folder, number), framework="numpy") as shard:
            row: np.ndarray = shard.get_slice(name)[offset : offset + 1][0]
            return row

    def rows(self, name: str, indices: Iterable[int]) -> np.ndarray:
        """Stacked rows, in the order of `indices`."""
        return np.stack([self.row(name, index) for index in indices])

    def chunks(self, name: str) -> Iterator[np.ndarray]:
        """All rows of array `name`, one shard at a time."""
        for path in sorted(self._folder.glob("part-*.safetensors")):
            with safe_open(path, framework="numpy") as shard:
                yield shard.get_tensor(name)


def _shard(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.safetensors"
