from pathlib import Path

import pyarrow as pa
import pytest

from falco_core.errors import ProjectError
from falco_core.store.tables import PAIRS, WITHHELD, read_table, write_table

ROWS = [{"face": "a", "fakes": [3, 4], "distances": [0.5, 0.75]}, {"face": "b", "fakes": [1], "distances": [0.25]}]


def test_rows_come_back_in_order_and_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_table(tmp_path / f"{name}.parquet", ROWS, PAIRS)
    assert read_table(tmp_path / "one.parquet", PAIRS) == ROWS
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_missing_column_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_table(tmp_path / "t.parquet", [{"face": "a"}], PAIRS)
    assert not list(tmp_path.iterdir())


def test_a_value_of_the_wrong_type_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        write_table(tmp_path / "t.parquet", [{"face": "a", "fakes": ["x"], "distances": [0.0]}], PAIRS)


def test_another_versions_table_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", ROWS, PAIRS)
    with pytest.raises(ProjectError, match="another version"):
        read_table(tmp_path / "t.parquet", WITHHELD)
    with pytest.raises(ProjectError, match="missing"):
        read_table(tmp_path / "nothing.parquet", WITHHELD)
