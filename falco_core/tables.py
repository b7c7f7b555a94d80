"""The schemas of every table that one stage hands to another, and how tables are read and written."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from falco_core.errors import ProjectError

Row = Mapping[str, Any]

PHOTOS = pa.schema(
    [
        ("photo", pa.string()),  # path inside the photo folder, with forward slashes
        ("sha256", pa.string()),  # of the file's bytes; empty if it could not be read
        ("width", pa.int32()),  # pixels, as a viewer shows it; 0 if undecodable
        ("height", pa.int32()),
        ("faces", pa.int32()),
    ]
)
FACES = pa.schema(
    [
        ("face", pa.string()),  # identical photos share their faces' ids
        ("photo", pa.string()),
        ("index", pa.int32()),  # left to right within the photo
        ("crop_sha256", pa.string()),  # of the crop's pixels
        ("score", pa.float32()),  # detection probability
        ("box", pa.list_(pa.float32(), 4)),  # x0 y0 x1 y1, photo pixels
        ("landmarks", pa.list_(pa.float32(), 10)),  # x y of eyes, nose, mouth corners
        ("quad", pa.list_(pa.float64(), 8)),  # x y of the crop quad's corners
    ]
)
WITHHELD = pa.schema(
    [
        ("photo", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),  # falco_core.reasons.Reason
        ("detail", pa.string()),
    ]
)
INVERSIONS = pa.schema(
    [
        ("face", pa.string()),
        ("fidelity", pa.float32()),  # recogniser cosine of the reconstruction to the crop
        ("low_fidelity", pa.bool_()),
    ]
)
FAKES = pa.schema([("fake", pa.int32()), ("seed", pa.int64())])
PAIRS = pa.schema([("face", pa.string()), ("fake", pa.int32()), ("distance", pa.float32())])
OUTCOMES = pa.schema(
    [
        ("face", pa.string()),
        ("fake", pa.int32()),
        ("reason", pa.string()),  # null: anonymized
        ("cosine_start", pa.float32()),  # recogniser cosine to the original before the first step
        ("cosine", pa.float32()),  # and after the last
        ("attribute_loss", pa.float32()),
        ("steps", pa.int32()),
    ]
)
CHECKS = pa.schema(
    [
        ("face", pa.string()),
        ("photo", pa.string()),
        ("detected", pa.bool_()),  # a face is found where the new face was pasted
        ("recogniser_cosine", pa.float32()),  # composed face against its original
        ("heldout_cosine", pa.float32()),
        ("farl_cosine", pa.float32()),
    ]
)
COMPOSED = pa.schema(
    [
        ("photo", pa.string()),
        ("file", pa.string()),  # name in the release: the format may change (GIF becomes PNG)
        ("sha256", pa.string()),  # of the composed file's bytes
    ]
)


def write_table(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write `rows` (a missing column is an error) to `path` atomically; equal rows give equal bytes."""
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for row in rows:
        for name, column in columns.items():
            column.append(row[name])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(pa.table(columns, schema=schema), partial)
    partial.replace(path)


def read_table(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """All rows of `path`; raises ProjectError if it is missing or has other columns."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise ProjectError(f"{path} is missing: run the stage that makes it (`dvc repro`)") from None
    if not table.schema.equals(schema):
        raise ProjectError(f"{path} was written by another version of falco: run `dvc repro --force`")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
