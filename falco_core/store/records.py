"""Rows as dataclasses, and the Arrow columns that they are stored in.

A row class is a frozen dataclass of plain values, nested row classes, tuples of either, bytes, and at most one field of
type `Arrays`: named NumPy arrays, of the same names, shapes and types in every row of a file. Each of those is a column
of its own, so that one can be read without the others.
"""

import dataclasses
import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

from falco_core.errors import StoreError

Arrays = Mapping[str, np.ndarray]
"""Arrays of a row by name."""
RowType = TypeVar("RowType")

_PLAIN: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.large_binary(),
}
_NUMBERS = re.compile(r"[<>|=]?[biuf][0-9]{1,2}")
"""Types of arrays: plain numbers."""
_ARRAY = "array:"
"""Before the name of an array in its column's name."""


class Records(Generic[RowType]):
    """How rows of one class become Arrow columns, and come back."""

    def __init__(self, row_class: type[RowType]) -> None:
        self.row_class = row_class
        hints = get_type_hints(row_class)
        names = [field.name for field in dataclasses.fields(row_class)]  # type: ignore[arg-type]
        self.arrays_field = next((name for name in names if hints[name] == Arrays), None)
        self._names = names
        self._plain = {name: hints[name] for name in names if name != self.arrays_field}
        self.fields = [pa.field(name, _arrow_type(hint)) for name, hint in self._plain.items()]

    def table(self, rows: Sequence[RowType]) -> pa.Table:
        """The rows as a table; raises ValueError where their arrays differ in names, shapes or types."""
        columns = [
            pa.array([_plain_value(getattr(row, field.name)) for row in rows], type=field.type) for field in self.fields
        ]
        fields = list(self.fields)
        for name, (shape, dtype) in self._array_types(rows).items():
            size = int(np.prod(shape)) * dtype.itemsize
            data = [np.ascontiguousarray(self._arrays(row)[name]).tobytes() for row in rows]
            columns.append(pa.array(data, type=pa.binary(size) if size else pa.large_binary()))
            fields.append(pa.field(_ARRAY + name, columns[-1].type, metadata=_described(shape, dtype)))
        return pa.table(columns, schema=pa.schema(fields))

    def rows(self, table: pa.Table, lists: Mapping[str, list[Any]] | None = None) -> list[RowType]:
        """The rows of a table; bytes and arrays that it was read without come back empty.

        lists: what `to_pylist` gives of some of its columns, where that is known.
        Raises StoreError where a column is missing or of another type.
        """
        columns: dict[str, list[Any]] = {}
        for field in self.fields:
            if field.name not in table.column_names:
                if self._plain[field.name] is not bytes:
                    raise StoreError(f"the column {field.name} is missing")
                columns[field.name] = [b""] * table.num_rows
                continue
            if table.schema.field(field.name).type != field.type:
                raise StoreError(f"the column {field.name} is of another type")
            known = lists.get(field.name) if lists else None
            values = table.column(field.name).to_pylist() if known is None else known
            columns[field.name] = _maker(self._plain[field.name])(values)
        if self.arrays_field is not None:
            arrays = self.arrays(table)
            columns[self.arrays_field] = [
                {name: values[number] for name, values in arrays.items()} for number in range(table.num_rows)
            ]
        in_order = (columns[name] for name in self._names)
        return list(map(self.row_class, *in_order))

    def arrays(self, table: pa.Table) -> dict[str, np.ndarray]:
        """The arrays of all rows, stacked: name -> [N, ...]."""
        found = {}
        for field in table.schema:
            if field.name.startswith(_ARRAY):
                shape, dtype = _description(field)
                data = b"".join(table.column(field.name).to_pylist())
                try:
                    found[field.name.removeprefix(_ARRAY)] = np.frombuffer(data, dtype).reshape(-1, *shape)
                except (ValueError, OverflowError, TypeError):
                    raise StoreError(f"the column {field.name} is not what it says") from None
        return found

    @property
    def plain_columns(self) -> list[str]:
        """The columns that are always read: all but bytes and arrays."""
        return [field.name for field in self.fields if self._plain[field.name] is not bytes]

    def is_heavy(self, column: str) -> bool:
        """Whether a column holds bytes or arrays."""
        return column.startswith(_ARRAY) or self._plain.get(column) is bytes

    def column_of(self, name: str) -> str:
        """The column of a bytes field or of an array."""
        return name if name in self._plain else _ARRAY + name

    def name_of(self, column: str) -> str:
        """The bytes field or array of a column."""
        return column.removeprefix(_ARRAY)

    def _arrays(self, row: RowType) -> Arrays:
        return {} if self.arrays_field is None else getattr(row, self.arrays_field)

    def _array_types(self, rows: Sequence[RowType]) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        types_of = [{name: (a.shape, a.dtype) for name, a in sorted(self._arrays(row).items())} for row in rows]
        if any(each != types_of[0] for each in types_of[1:]):
            raise ValueError(f"arrays of {self.row_class.__name__} rows differ in name, shape or type")
        return types_of[0] if types_of else {}


_RECORDS: dict[type[Any], Records[Any]] = {}


def records_of(row_class: type[RowType]) -> Records[RowType]:
    """The (one) Records of a row class."""
    if row_class not in _RECORDS:
        _RECORDS[row_class] = Records(row_class)
    return _RECORDS[row_class]


def _described(shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, str]:
    return {"shape": json.dumps(shape), "dtype": dtype.str}


def _description(field: pa.Field) -> tuple[tuple[int, ...], np.dtype[Any]]:
    metadata = field.metadata or {}
    try:
        shape = tuple(int(side) for side in json.loads(metadata[b"shape"]))
        name = metadata[b"dtype"].decode()
        dtype = np.dtype(name) if _NUMBERS.fullmatch(name) else None
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise StoreError(f"the column {field.name} does not say what it holds") from None
    if dtype is None or any(side < 0 for side in shape):
        raise StoreError(f"the column {field.name} holds no numbers")
    return shape, dtype


def _arrow_type(hint: Any) -> pa.DataType:
    hint = _without_none(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return pa.string()
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(get_args(hint)[0]))
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return pa.struct([pa.field(f.name, _arrow_type(hints[f.name])) for f in dataclasses.fields(hint)])
    raise TypeError(f"no column for values of type {hint}")


def _plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain_value(each) for each in value]
    return str(value) if isinstance(value, StrEnum) else value


@cache
def _maker(hint: Any) -> Callable[[list[Any]], list[Any]]:
    """What makes a column's values of Arrow's."""
    optional, hint = hint is not _without_none(hint), _without_none(hint)
    make = _whole_maker(hint)

    def made(values: list[Any]) -> list[Any]:
        if None not in values:
            return make(values)
        if not optional:
            raise StoreError("a value is missing")
        present = iter(make([value for value in values if value is not None]))
        return [None if value is None else next(present) for value in values]

    return made


def _whole_maker(hint: Any) -> Callable[[list[Any]], list[Any]]:
    if get_origin(hint) is tuple:
        return _tuples(_maker(get_args(hint)[0]))
    if dataclasses.is_dataclass(hint):
        return _objects(hint)
    if issubclass(hint, StrEnum):
        return lambda values: [_member(hint, value) for value in values]
    return lambda values: values


def _tuples(make: Callable[[list[Any]], list[Any]]) -> Callable[[list[Any]], list[Any]]:
    """All parts of all tuples are made in one go."""

    def made(values: list[Any]) -> list[Any]:
        parts = iter(make([part for value in values for part in value]))
        return [tuple(islice(parts, len(value))) for value in values]

    return made


def _objects(row_class: Any) -> Callable[[list[Any]], list[Any]]:
    hints = get_type_hints(row_class)
    makers = [(field.name, _maker(hints[field.name])) for field in dataclasses.fields(row_class)]

    def made(values: list[Any]) -> list[Any]:
        return list(map(row_class, *(make([value[name] for value in values]) for name, make in makers)))

    return made


def _member(enum: type[StrEnum], value: str) -> StrEnum:
    try:
        return enum(value)
    except ValueError:
        raise StoreError(f"{value!r} is no {enum.__name__}") from None


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [each for each in get_args(hint) if each is not types.NoneType]
        if len(rest) == 1:
            return rest[0]
    return hint
