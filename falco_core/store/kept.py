"""Kept work of one stage: a file per bucket under an fsspec path, and batches that no bucket has taken in yet.

    STORE/STAGE/BUCKET.parquet      the bucket's items as the stage left them last
    STORE/STAGE/loose-*.parquet     a finished batch each, of any buckets: what a killed run leaves

Every file is written whole or not at all. What is damaged is missing. A file of another division into buckets counts
as loose, so that a dataset that grows is divided anew without any work being lost.
"""

import filecmp
import posixpath
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar
from uuid import uuid4

from fsspec.implementations.local import LocalFileSystem

from falco_core.errors import StoreError
from falco_core.store.bucket import Bucket, Kept, encode_bucket
from falco_core.store.place import open_place

RowType = TypeVar("RowType")
SUFFIX = ".parquet"
_LOOSE, _PARTIAL = "loose-", ".partial"


class KeptWork(Generic[RowType]):
    """The items of one stage, divided into `buckets`."""

    def __init__(self, url: str, stage: str, row_class: type[RowType], buckets: Collection[str]) -> None:
        self._files, root = open_place(url, "store.path")
        self._root = posixpath.join(root, stage)
        self._row_class = row_class
        self._buckets = frozenset(buckets)
        self._ids_in: dict[str, frozenset[str]] = {}
        self._whole: set[str] = set()

    def add(self, items: Sequence[Kept[RowType]]) -> None:
        """Keep a finished batch; a second writer of the same items does no harm."""
        if items:
            self._write(f"{_LOOSE}{uuid4().hex}", items)

    def missing(self, bucket: str, wanted: Mapping[str, str]) -> set[str]:
        """Which of the `wanted` items (id -> key) are not kept, or only as a failure that may pass."""
        own = {item.id for item in self._found_in(bucket, wanted) if item.final}
        if own == wanted.keys() and len(own) == self._count(bucket):
            self._whole.add(bucket)
            return set()
        self._whole.discard(bucket)
        loose = {item.id for item in self._found_loose(wanted) if item.final}
        return wanted.keys() - own - loose

    def in_batches(self, wanted: Mapping[str, str]) -> set[str]:
        """Which of the `wanted` items (id -> key) are in finished batches that no bucket has taken in yet."""
        batches = [name for name in self._others() if name.startswith(_LOOSE)]
        return {item.id for item in self._found_among(batches, wanted) if item.final}

    def settle(self, bucket: str, wanted: Mapping[str, str]) -> None:
        """Let the bucket's file hold exactly the `wanted` items; raises StoreError if one is not kept.

        `missing` has found out which files do so already: they are not read again.
        """
        if bucket in self._whole:
            return
        own = {item.id: item for item in self._found_in(bucket, wanted)}
        loose = {item.id: item for item in self._found_loose(wanted)}
        if lost := sorted(wanted.keys() - own.keys() - loose.keys()):
            raise StoreError(f"the work on {lost[0]} is not kept in {self._root}: run again")
        if loose or len(own) != self._count(bucket):
            self._write(bucket, list({**own, **loose}.values()))

    def drop_loose(self, settled: Set[str]) -> None:
        """Drop the loose files that hold nothing but `settled` items (ids)."""
        for name, ids in list(self._ids_in.items()):
            if ids and ids <= settled:
                self._files.rm_file(self._path(name))
                del self._ids_in[name]

    def clear(self) -> None:
        """Drop every file that is not of one of the buckets: once these are settled nothing in it is needed."""
        for path in self._paths():
            name = posixpath.basename(path)
            if name.endswith(_PARTIAL) or name.removesuffix(SUFFIX) not in self._buckets:
                self._files.rm_file(path)
        self._ids_in.clear()

    def export(self, bucket: str, target: Path) -> None:
        """Put the bucket's file at `target`: a hard link where that can be, else a copy; never a symbolic link."""
        source = self._path(bucket)
        if not isinstance(self._files, LocalFileSystem):
            self._files.get_file(source, str(target))
            return
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, target)

    def share(self, folder: Path) -> None:
        """Let the store's files be links to equal ones in a folder, in which DVC has put other files in place of ours.

        Saves a copy of everything where the store is on the same file system.
        """
        if not isinstance(self._files, LocalFileSystem):
            return
        for there in folder.glob(f"*{SUFFIX}"):
            own = Path(self._path(there.name.removesuffix(SUFFIX)))
            if own.is_file() and not own.samefile(there) and filecmp.cmp(own, there, shallow=False):
                partial = own.with_name(f".{own.name}.{uuid4().hex}{_PARTIAL}")
                with suppress(OSError):
                    partial.hardlink_to(there)
                    partial.replace(own)

    def _found_in(self, bucket: str, wanted: Mapping[str, str]) -> Iterator[Kept[RowType]]:
        """The wanted items of the bucket's own file."""
        if self._exists(bucket):
            yield from (item for item in self._read(bucket, None) if wanted.get(item.id) == item.key)

    def _found_loose(self, wanted: Mapping[str, str]) -> Iterator[Kept[RowType]]:
        yield from self._found_among(self._others(), wanted)

    def _found_among(self, names: Iterable[str], wanted: Mapping[str, str]) -> Iterator[Kept[RowType]]:
        for name in names:
            if name not in self._ids_in:
                self._ids_in[name] = frozenset(item.id for item in self._read(name, None))
            if ids := self._ids_in[name] & wanted.keys():
                yield from (item for item in self._read(name, ids) if wanted[item.id] == item.key)

    def _read(self, name: str, ids: Collection[str] | None) -> Iterator[Kept[RowType]]:
        """The sound items of a file; none where it is no bucket any more."""
        with suppress(StoreError), self._files.open(self._path(name), "rb") as file:
            yield from Bucket(file, self._row_class).read(ids=ids)

    def _count(self, bucket: str) -> int:
        """How many rows the bucket's file holds, sound or not; -1 if there is none or it cannot be read."""
        with suppress(StoreError, FileNotFoundError), self._files.open(self._path(bucket), "rb") as file:
            return len(Bucket(file, self._row_class))
        return -1

    def _others(self) -> list[str]:
        """Names of all files but those of the buckets."""
        names = [posixpath.basename(path) for path in self._paths()]
        stems = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
        return sorted(stem for stem in stems if stem not in self._buckets)

    def _paths(self) -> list[str]:
        self._files.invalidate_cache(self._root)
        if not self._files.isdir(self._root):
            return []
        return [str(entry["name"]) for entry in self._files.ls(self._root, detail=True) if entry["type"] == "file"]

    def _write(self, name: str, items: Sequence[Kept[RowType]]) -> None:
        self._files.makedirs(self._root, exist_ok=True)
        partial = posixpath.join(self._root, f".{name}.{uuid4().hex}{_PARTIAL}")
        self._files.pipe_file(partial, encode_bucket(items, self._row_class))
        # A new file takes the old one's place: what was linked to elsewhere stays what it was.
        self._files.mv(partial, self._path(name))

    def _exists(self, bucket: str) -> bool:
        return bool(self._files.isfile(self._path(bucket)))

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, f"{name}{SUFFIX}")
