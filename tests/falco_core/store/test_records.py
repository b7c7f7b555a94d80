"""Rows come back as they were, and what is no such row is refused."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falco_core.errors import StoreError
from falco_core.reasons import Cause
from falco_core.store.records import Arrays, Records


@dataclass(frozen=True)
class Inner:
    number: int
    cause: Cause | None


@dataclass(frozen=True)
class Outer:
    name: str
    share: float
    sure: bool
    note: str | None
    parts: tuple[Inner, ...]
    points: tuple[float, ...]
    picture: bytes = b""
    arrays: Arrays = field(default_factory=dict)


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
ROWS = st.builds(
    Outer,
    name=TEXT,
    share=st.floats(allow_nan=False),
    sure=st.booleans(),
    note=st.none() | TEXT,
    parts=st.lists(
        st.builds(Inner, number=st.integers(-(2**62), 2**62), cause=st.none() | st.sampled_from(Cause)), max_size=3
    ).map(tuple),
    points=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).map(tuple),
    picture=st.binary(max_size=9),
    arrays=st.just({"codes": np.arange(6, dtype=np.float32).reshape(2, 3), "mask": np.zeros((2,), np.uint8)}),
)


@given(st.lists(ROWS, max_size=4))
def test_rows_come_back_as_they_were(rows: list[Outer]) -> None:
    records = Records(Outer)
    back = records.rows(records.table(rows))
    assert [Outer(**{**vars(row), "arrays": {}}) for row in back] == [
        Outer(**{**vars(row), "arrays": {}}) for row in rows
    ]
    for before, after in zip(rows, back, strict=True):
        for name, array in before.arrays.items():
            assert after.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(after.arrays[name], array)


def row(**values: object) -> Outer:
    return Outer(**{"name": "a", "share": 0.5, "sure": True, "note": None, "parts": (), "points": (), **values})  # type: ignore[arg-type]


def test_arrays_of_different_shapes_are_no_column() -> None:
    rows = [row(arrays={"codes": np.zeros(2)}), row(arrays={"codes": np.zeros(3)})]
    with pytest.raises(ValueError, match="differ"):
        Records(Outer).table(rows)


def test_columns_that_are_missing_or_of_another_type_are_refused() -> None:
    records = Records(Outer)
    table = records.table([row()])
    with pytest.raises(StoreError, match="share is missing"):
        records.rows(table.drop_columns(["share"]))
    place = table.column_names.index("share")
    other = table.set_column(place, "share", pa.array(["0.5"]))
    with pytest.raises(StoreError, match="another type"):
        records.rows(other)


def test_a_code_that_nobody_knows_is_refused() -> None:
    records = Records(Inner)
    table = pa.table({"number": [1], "cause": ["because"]}, schema=pa.schema(records.fields))
    with pytest.raises(StoreError, match="no Cause"):
        records.rows(table)


def test_pictures_that_are_not_read_come_back_empty() -> None:
    records = Records(Outer)
    table = records.table([row(picture=b"abc", arrays={"codes": np.ones(2)})])
    (back,) = records.rows(table.drop_columns(["picture", records.column_of("codes")]))
    assert back.picture == b""
    assert back.arrays == {}


def test_an_array_of_objects_is_never_made() -> None:
    records = Records(Outer)
    table = records.table([row(arrays={"codes": np.ones(2)})])
    name = records.column_of("codes")
    forged = pa.field(name, table.schema.field(name).type, metadata={"shape": "[2]", "dtype": "|O"})
    place = table.column_names.index(name)
    with pytest.raises(StoreError):
        records.rows(table.set_column(place, forged, table.column(name)))
