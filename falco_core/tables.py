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
        ("score", pa.float32()),  # the finder's
        ("mtcnn_score", pa.float32()),  # 0: MTCNN does not see it
        ("views", pa.string()),  # which views saw it, comma-separated
        ("cause", pa.string()),  # why it is concealed instead of replaced (falco_core.reasons.Cause); null: it is not
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
PAIRS = pa.schema(
    [
        ("face", pa.string()),
        ("fakes", pa.list_(pa.int32())),  # nearest first: one for each attempt
        ("distances", pa.list_(pa.float32())),
    ]
)
OUTCOMES = pa.schema(
    [
        ("face", pa.string()),
        ("fake", pa.int32()),  # of the last attempt
        ("attempts", pa.int32()),
        ("cause", pa.string()),  # why it has no new face (falco_core.reasons.Cause); null: it has
        ("cosine_start", pa.float32()),  # recogniser cosine to the original before the first step
        ("cosine", pa.float32()),  # and after the last
        ("attribute_loss", pa.float32()),
        ("steps", pa.int32()),
    ]
)
ATTEMPTS = pa.schema(
    [
        ("face", pa.string()),
        ("attempt", pa.int32()),
        ("fake", pa.int32()),
        ("margin", pa.float32()),
        ("cosine", pa.float32()),  # recogniser cosine to the original after the last step
        ("recognised_by", pa.string()),  # the gate's judge that knows the face in the composite; null: none
        ("cause", pa.string()),  # why this attempt failed; null: it did not
    ]
)
CHECKS = pa.schema(
    [
        ("face", pa.string()),
        ("photo", pa.string()),
        ("treatment", pa.string()),  # replaced, concealed, blanked (of one colour: a mosaic was still recognised)
        ("cause", pa.string()),  # why it was concealed; null: it was not
        ("judged_by", pa.list_(pa.string())),  # the gate's judges that decided on it: those that know such people
        ("anonymized", pa.bool_()),  # it had a new face when the second look first saw it
        ("detected", pa.bool_()),  # a face is found where it was drawn
        ("likeness", pa.float32()),  # of pixels to the original's (falco_core.judges.likeness)
        ("farl_cosine", pa.float32()),
        ("score", pa.float32()),  # of the detector, on the original
        ("box", pa.list_(pa.float32(), 4)),
    ]
)
"""A row per face of a photo, as the second look saw it last."""
PHOTO_OUTCOMES = pa.schema(
    [
        ("photo", pa.string()),
        ("file", pa.string()),  # name among the composed photos; null: withheld
        ("sha256", pa.string()),  # of that file's bytes, as it was judged: nothing else is released; null: withheld
        ("reason", pa.string()),  # why it is withheld (falco_core.reasons.Reason); null: it is not
        ("detail", pa.string()),
        ("replaced", pa.int32()),  # faces by what they got
        ("concealed", pa.int32()),
        ("risk", pa.float32()),  # 0..1: how much it needs a human look (falco_core.report.risk)
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
