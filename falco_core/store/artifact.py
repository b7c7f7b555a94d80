"""What a stage leaves for the next ones: a folder with a file per bucket, and tables of a single file."""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from falco_core.errors import ProjectError, StoreError, one_line
from falco_core.files import open_regular
from falco_core.store.bucket import Bucket, Kept, check_size, encode_bucket
from falco_core.store.kept import SUFFIX
from falco_core.store.records import records_of

RowType = TypeVar("RowType")
TABLE_ROWS = 4096
"""Rows of a table that are in memory at once when it is written or read."""


_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError)


class Artifact(Generic[RowType]):
    """A stage's folder, a file per bucket; raises ProjectError if it is not there."""

    def __init__(self, folder: Path, row_class: type[RowType]) -> None:
        if not folder.is_dir():
            raise ProjectError(f"{folder} is missing: run the stage that makes it (`dvc repro`)")
        self._folder, self._row_class = folder, row_class

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets, in order."""
        return tuple(sorted(path.name.removesuffix(SUFFIX) for path in self._folder.glob(f"*{SUFFIX}")))

    def read(
        self, bucket: str, *, heavy: Collection[str] | None = (), ids: Collection[str] | None = None
    ) -> list[Kept[RowType]]:
        """The items of a bucket, in the order of their ids; ids and heavy as of `store.bucket.Bucket.read`.

        Raises ProjectError if the file, or one of its items that was asked for, is missing or damaged.
        """
        items, expected = self._items(bucket, heavy, ids)
        if len(items) != expected:
            raise self._damaged(bucket)
        return items

    def find(self, bucket: str, id_: str, *, heavy: Collection[str] | None = ()) -> Kept[RowType] | None:
        """The item `id_` of a bucket; None if the bucket does not have it. Raises ProjectError as `read` does."""
        if found := self._items(bucket, heavy, {id_})[0]:
            return found[0]
        if any(item.id == id_ for item in self.read(bucket)):
            raise self._damaged(bucket)
        return None

    def all(self, *, heavy: Collection[str] | None = ()) -> Iterator[Kept[RowType]]:
        """The items of all buckets, one bucket in memory at a time."""
        for bucket in self.buckets:
            yield from self.read(bucket, heavy=heavy)

    def each(self, bucket: str, *, heavy: Collection[str]) -> Iterator[Kept[RowType]]:
        """The items of a bucket, in order, a row group in memory at a time: for files, which may be large.

        Raises ProjectError as `read` does, for what is missing only when the others have been given out.
        """
        count = 0
        with self._opened(bucket) as opened:
            for item in opened.read(heavy=heavy):
                count += 1
                yield item
        if count != len(opened):
            raise self._damaged(bucket)

    def _items(
        self, bucket: str, heavy: Collection[str] | None, ids: Collection[str] | None
    ) -> tuple[list[Kept[RowType]], int]:
        """The sound items, and how many there should be."""
        with self._opened(bucket) as opened:
            return list(opened.read(heavy=heavy, ids=ids)), len(opened) if ids is None else len(set(ids))

    @contextmanager
    def _opened(self, bucket: str) -> Iterator[Bucket[RowType]]:
        path = self._path(bucket)
        try:
            with open_regular(path) as file:
                yield Bucket(file, self._row_class)
        except FileNotFoundError:
            raise ProjectError(f"{path} is missing: run the stage that makes it (`dvc repro`)") from None
        except (StoreError, OSError) as error:
            raise ProjectError(f"{path}: {error}: delete it and run again (`dvc repro`)") from None

    def _damaged(self, bucket: str) -> ProjectError:
        return ProjectError(f"{self._path(bucket)} is damaged: delete it and run again (`dvc repro`)")

    def _path(self, bucket: str) -> Path:
        return self._folder / f"{bucket}{SUFFIX}"


def write_artifact_file(folder: Path, bucket: str, items: Iterable[Kept[RowType]], row_class: type[RowType]) -> None:
    """Write a bucket's file of a stage that keeps nothing."""
    (folder / f"{bucket}{SUFFIX}").write_bytes(encode_bucket(items, row_class))


def write_table(path: Path, rows: Iterable[RowType], row_class: type[RowType]) -> None:
    """Write `rows` to the parquet file `path`, atomically; equal rows give equal bytes."""
    records = records_of(row_class)
    iterator = iter(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with pq.ParquetWriter(partial, pa.schema(records.fields)) as writer:
            while chunk := list(islice(iterator, TABLE_ROWS)):
                writer.write_table(records.table(chunk))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_table(path: Path, row_class: type[RowType]) -> Iterator[RowType]:
    """The rows of a table; raises ProjectError if it is missing, damaged, or of another version of falco."""
    records = records_of(row_class)
    try:
        with open_regular(path) as file, pq.ParquetFile(file) as parquet:
            check_size(parquet)
            for batch in parquet.iter_batches(TABLE_ROWS):
                yield from records.rows(pa.Table.from_batches([batch]))
    except FileNotFoundError:
        raise ProjectError(f"{path} is missing: run the stage that makes it (`dvc repro`)") from None
    except StoreError as error:
        raise ProjectError(f"{path} is not what this version of falco writes ({error}): `dvc repro --force`") from None
    except _UNREADABLE as error:
        raise ProjectError(f"{path} cannot be read: {one_line(str(error))[:160]}: `dvc repro --force`") from None
