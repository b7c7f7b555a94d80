"""A bucket: the kept rows of many items in one parquet file, each with a digest that is checked when it is read.

Columns beside the row's own: `_id` and `_key` of the item, `_final` (false: a failure that may pass),
for each column of bytes or arrays `digest:COLUMN`, and `_digest` over all but these heavy columns themselves. So a
reader that needs no pictures reads none and is as sure of the rest, and what later stages depend on is known without
reading it.
"""

import hashlib
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from typing import IO, Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from falco_core.errors import StoreError
from falco_core.store.records import Records, records_of

RowType = TypeVar("RowType")

ID, KEY, FINAL, DIGEST = "_id", "_key", "_final", "_digest"
_DIGEST_OF = "digest:"
GROUP_BYTES = 8 * 2**20
GROUP_ROWS = 128
"""A row group, the least that is read at once, ends at either."""
MOST_ROWS = 2**24
MOST_GROUP_BYTES = 2**31
"""Of a row group: a few bytes can say that they are billions. Tables have groups of `artifact.TABLE_ROWS` rows, a
bucket's group may hold one large photo."""

_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)


@dataclass(frozen=True)
class Kept(Generic[RowType]):
    """An item: its id, the key of all it depends on, whether it is final, its row; digests of its heavy fields."""

    id: str
    key: str
    row: RowType
    final: bool = True
    digests: Mapping[str, str] = field(default_factory=dict)
    """By name of a bytes field or array; only of items that were read."""


def encode_bucket(items: Iterable[Kept[RowType]], row_class: type[RowType]) -> bytes:
    """The file of `items`, in the order of their ids: equal items give equal bytes."""
    records = records_of(row_class)
    rows = sorted(items, key=lambda item: item.id)
    # Array columns come from the rows: a file has those of all its rows or none.
    table = _table(rows, records)
    heavy = [name for name in table.column_names if records.is_heavy(name)]
    light = [name for name in table.column_names if name not in heavy]
    file = io.BytesIO()
    compression = {name: "none" if name in heavy else "zstd" for name in table.column_names}
    with pq.ParquetWriter(
        file, table.schema, compression=compression, use_dictionary=False, write_statistics=light
    ) as writer:
        for start, stop in _groups(table, heavy):
            writer.write_table(table.slice(start, stop - start), row_group_size=GROUP_ROWS)
    return file.getvalue()


class Bucket(Generic[RowType]):
    """An open bucket file."""

    def __init__(self, file: IO[bytes], row_class: type[RowType]) -> None:
        """Raises StoreError if it is no bucket at all, or one larger than falco ever writes."""
        self._records = records_of(row_class)
        try:
            self._parquet = pq.ParquetFile(file)
        except _UNREADABLE as error:
            raise _no_bucket(error) from None
        check_size(self._parquet)

    def __len__(self) -> int:
        """How many rows it says it holds, sound or not."""
        return int(self._parquet.metadata.num_rows)

    def read(
        self, *, heavy: Collection[str] | None = None, ids: Collection[str] | None = None
    ) -> Iterator[Kept[RowType]]:
        """The items whose digests hold; the others are left out as if they were missing.

        heavy: the bytes fields and arrays to be read (None: all; names that the file lacks are an error unless it is
        empty); ids: the items to be read (None: all). Raises StoreError if it is no bucket of such rows.
        """
        if not len(self):
            return
        parquet = self._parquet
        try:
            columns = _columns_to_read(parquet.schema_arrow, self._records, heavy)
            for group in range(parquet.num_row_groups):
                if ids is None:
                    yield from _checked(parquet.read_row_group(group, columns=columns), self._records)
                else:
                    there = parquet.read_row_group(group, columns=[ID]).column(ID).to_pylist()
                    wanted = [id_ in ids for id_ in there]
                    if any(wanted):
                        table = parquet.read_row_group(group, columns=columns)
                        yield from _checked(table.filter(pa.array(wanted)), self._records)
        except _UNREADABLE as error:
            raise _no_bucket(error) from None


def check_size(parquet: pq.ParquetFile) -> None:
    """Raise StoreError if a file says that it unfolds into more than falco ever writes, or counts its rows in two ways:
    none of it is read then.
    """
    rows = 0
    for number in range(parquet.num_row_groups):
        # What columns say of themselves is not asked for: pyarrow ends the process where that is damaged.
        group = parquet.metadata.row_group(number)
        if not (0 <= group.num_rows <= MOST_ROWS and 0 <= group.total_byte_size <= MOST_GROUP_BYTES):
            raise StoreError(f"its row group {number} is larger than any that falco writes")
        rows += group.num_rows
    if rows != parquet.metadata.num_rows:
        raise StoreError(f"it says that it has {parquet.metadata.num_rows} rows, and has {rows}")


def _no_bucket(error: Exception) -> StoreError:
    return StoreError(f"not a bucket: {' '.join(str(error).split())[:160]}")


def _digests_of(table: pa.Table, column: str) -> list[str]:
    """What stands for each value of a heavy column: 128 bits of a sha256, of an array's type and shape, too."""
    described = json.dumps(sorted((k.decode(), v.decode()) for k, v in (table.field(column).metadata or {}).items()))
    start = hashlib.sha256(described.encode())
    found = []
    for value in table.column(column).to_pylist():
        digest = start.copy()
        digest.update(value)
        found.append(digest.hexdigest()[:32])
    return found


def _table(items: Sequence[Kept[RowType]], records: Records[RowType]) -> pa.Table:
    table = records.table([item.row for item in items])
    for name, values, kind in (
        (ID, [item.id for item in items], pa.string()),
        (KEY, [item.key for item in items], pa.string()),
        (FINAL, [item.final for item in items], pa.bool_()),
    ):
        table = table.append_column(name, pa.array(values, type=kind))
    for name in [name for name in table.column_names if records.is_heavy(name)]:
        table = table.append_column(_DIGEST_OF + name, pa.array(_digests_of(table, name), type=pa.string()))
    return table.append_column(DIGEST, pa.array(_row_digests(_light_lists(table, records)), type=pa.string()))


def _light_lists(table: pa.Table, records: Records[Any]) -> dict[str, list[Any]]:
    """The values of all columns but the heavy ones."""
    return {name: table.column(name).to_pylist() for name in table.column_names if not records.is_heavy(name)}


def _row_digests(lists: Mapping[str, list[Any]]) -> list[str]:
    """sha256 of each row without its heavy columns, whose digests stand for them."""
    names = sorted(name for name in lists if name != DIGEST)
    return [
        hashlib.sha256(json.dumps([names, values]).encode()).hexdigest()[:32]
        for values in zip(*(lists[name] for name in names), strict=True)
    ]


def _groups(table: pa.Table, heavy: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Row ranges of about GROUP_BYTES."""
    sizes = [
        sum(len(value) for value in row) for row in zip(*(table.column(n).to_pylist() for n in heavy), strict=True)
    ]
    start = total = 0
    for number in range(table.num_rows):
        total += sizes[number] if sizes else 0
        if total >= GROUP_BYTES or number - start + 1 >= GROUP_ROWS:
            yield start, number + 1
            start, total = number + 1, 0
    if start < table.num_rows:
        yield start, table.num_rows


def _columns_to_read(schema: pa.Schema, records: Records[Any], heavy: Collection[str] | None) -> list[str]:
    there = {name for name in schema.names if records.is_heavy(name)}
    if there != {name.removeprefix(_DIGEST_OF) for name in schema.names if name.startswith(_DIGEST_OF)}:
        raise StoreError("not a bucket whose digests are those of its columns")
    if heavy is None:
        return list(schema.names)
    wanted = {records.column_of(name) for name in heavy}
    columns = [name for name in schema.names if not records.is_heavy(name) or name in wanted]
    if missing := wanted.difference(schema.names):
        raise StoreError(f"not a bucket with {', '.join(sorted(missing))}")
    return columns


def _checked(table: pa.Table, records: Records[RowType]) -> Iterator[Kept[RowType]]:
    """The items of a table whose digests hold."""
    lists = _light_lists(table, records)
    sound = [found == digest for found, digest in zip(_row_digests(lists), lists[DIGEST], strict=True)]
    digest_columns = [name for name in lists if name.startswith(_DIGEST_OF)]
    for name in digest_columns:
        if (column := name.removeprefix(_DIGEST_OF)) in table.column_names:
            for row, digest in enumerate(_digests_of(table, column)):
                sound[row] = sound[row] and digest == lists[name][row]
    if not all(sound):
        table = table.filter(pa.array(sound, type=pa.bool_()))
        lists = {name: list(compress(values, sound)) for name, values in lists.items()}
    names = [records.name_of(name.removeprefix(_DIGEST_OF)) for name in digest_columns]
    digests = zip(*(lists[name] for name in digest_columns), strict=True) if names else repeat(())
    items = zip(*(lists[name] for name in (ID, KEY, FINAL)), records.rows(table, lists), digests, strict=False)
    for id_, key, final, row, own in items:
        yield Kept(id_, key, row, final, dict(zip(names, own, strict=True)))
