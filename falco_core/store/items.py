"""The item cache: finished work is kept per face (or photo, or fake), under a key made of all it depends on."""

import hashlib
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import numpy as np
from safetensors.numpy import load, save

_RECORD = "__record__"


@dataclass(frozen=True)
class Item:
    """What one face's work left: named arrays, and a flat record of numbers, strings and nulls."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


def item_key(*, content: str, stage: str, version: int, params: Mapping[str, Any], models: str) -> str:
    """sha256 over everything an item depends on.

    `content` identifies the source (a digest), `params` holds the values this stage reads, `models` the digests
    of the networks it uses, `version` counts changes of the stage's code that change results.
    """
    parts = [stage, version, content, dict(sorted(params.items())), models]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class ItemCache:
    """Items of one stage under an fsspec path; written atomically, so a key either is whole or absent."""

    def __init__(self, url: str, stage: str) -> None:
        self._files, root = fsspec.url_to_fs(url)
        self._root = posixpath.join(root, stage)

    def __contains__(self, key: str) -> bool:
        return bool(self._files.exists(self._path(key)))

    def get(self, key: str) -> Item:
        """The item under `key`; raises KeyError if there is none."""
        try:
            data: bytes = self._files.cat_file(self._path(key))
        except FileNotFoundError:
            raise KeyError(key) from None
        return decode(data)

    def put(self, key: str, item: Item) -> None:
        """Keep `item`; a second writer of the same key does no harm."""
        path = self._path(key)
        self._files.makedirs(posixpath.dirname(path), exist_ok=True)
        partial = f"{path}.{uuid4().hex}.partial"
        self._files.pipe_file(partial, encode(item))
        self._files.mv(partial, path)

    def discard(self, key: str) -> None:
        """Forget the item under `key`, if there is one."""
        if key in self:
            self._files.rm_file(self._path(key))

    def _path(self, key: str) -> str:
        return posixpath.join(self._root, key[:2], f"{key}.safetensors")


def local_url(url: str, project: Path) -> str:
    """`url` itself if it names a protocol, else the path inside `project`."""
    return url if "://" in url else str((project / url).resolve())


def encode(item: Item) -> bytes:
    """One safetensors file; the record travels as JSON in a byte array of its own."""
    record = np.frombuffer(json.dumps(dict(item.record), sort_keys=True).encode(), dtype=np.uint8)
    arrays = {name: np.ascontiguousarray(array) for name, array in item.arrays.items()}
    return bytes(save({**arrays, _RECORD: record}))


def decode(data: bytes) -> Item:
    """The inverse of `encode`."""
    arrays = load(data)
    record = json.loads(arrays.pop(_RECORD).tobytes())
    return Item(arrays, record)
