from pathlib import Path

import numpy as np
import pytest

from falco_core.errors import ProjectError
from falco_core.store import shards
from falco_core.store.shards import Shards, write_shards


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9])
def test_rows_come_back_across_shard_borders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(shards, "ROWS_PER_SHARD", 4)
    rows = [{"a": np.full((2, 3), i, np.float32), "b": np.array([i], np.int64)} for i in range(count)]
    write_shards(tmp_path / "arrays", iter(rows))
    read = Shards(tmp_path / "arrays")
    for index in range(count):
        np.testing.assert_array_equal(read.row("a", index), rows[index]["a"])
    assert sum(len(chunk) for chunk in read.chunks("b")) == count
    if count > 1:
        order = [count - 1, 0]
        np.testing.assert_array_equal(read.rows("b", order)[:, 0], order)


def test_a_missing_folder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="dvc repro"):
        Shards(tmp_path / "nothing")
