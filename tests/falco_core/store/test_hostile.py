"""Tables that others wrote: data, never paths that lead out, never more than they say, never waited for."""

import io
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from falco_core.errors import ParamsError, ProjectError, StoreError
from falco_core.reasons import Reason
from falco_core.store import bucket as bucket_module
from falco_core.store.artifact import Artifact, read_table, write_table
from falco_core.store.bucket import Bucket, Kept, encode_bucket
from falco_core.store.kept import KeptWork
from falco_core.store.rows import Inversion, PhotoFile, PhotoOutcome, Withheld

LEADING_OUT = ["../x.jpg", "/etc/passwd", "a/../../x", "..", "", "a\0b"]
SHA = "0" * 64


def planted(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_photo_outside_of_its_folder_is_refused_where_it_is_read(name: str, tmp_path: Path) -> None:
    path = planted(tmp_path / "photos.parquet", photo=["a.jpg", name], sha256=[SHA, SHA])
    with pytest.raises(ProjectError, match="no path inside a folder"):
        list(read_table(path, PhotoFile))


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_released_name_outside_of_the_release_can_neither_be_read_nor_written(name: str, tmp_path: Path) -> None:
    row = {"photo": "a.jpg", "sha256": SHA, "file": "a.jpg", "file_sha256": SHA, "reason": None, "detail": ""}
    row |= {"replaced": 1, "concealed": 0, "risk": 0.5}
    path = tmp_path / "outcomes.parquet"
    write_table(path, [PhotoOutcome(**row)], PhotoOutcome)  # type: ignore[arg-type]
    table = pq.read_table(path)
    table = table.set_column(table.column_names.index("file"), "file", pa.array([name]))
    pq.write_table(table, path)
    with pytest.raises(ProjectError, match="no path inside a folder"):
        list(read_table(path, PhotoOutcome))
    with pytest.raises(StoreError, match="no path inside a folder"):
        PhotoOutcome(**{**row, "file": name})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a..b.jpg", "...", "deep/Straße & Café/x.jpg", "-rf", "a\\..\\b.jpg"])
def test_odd_names_inside_are_names(name: str) -> None:
    assert Withheld(name, "align", Reason.FAILED, "").photo == name


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1" + b"\xff" * 64 + b"PAR1", b"PK\x03\x04", b"\x00" * 4096], ids=range(5)
)
def test_garbage_is_one_line(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(data)
    with pytest.raises(ProjectError) as error:
        list(read_table(path, PhotoFile))
    assert str(error.value).isprintable()
    with pytest.raises(StoreError):
        list(Bucket(io.BytesIO(data), Inversion).read())


def test_another_table_is_one_line(tmp_path: Path) -> None:
    for columns in ({"photo": [1], "sha256": [2]}, {"x": ["y"]}, {"photo": [["a"]], "sha256": [SHA]}):
        with pytest.raises(ProjectError, match="not what this version of falco writes"):
            list(read_table(planted(tmp_path / "t.parquet", **columns), PhotoFile))  # type: ignore[arg-type]


def test_a_fifo_in_a_tables_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.parquet")
    with pytest.raises(ProjectError, match="not a regular file"):
        list(read_table(tmp_path / "t.parquet", PhotoFile))
    with pytest.raises(ProjectError, match="not a regular file"):
        Artifact(tmp_path, Inversion).read("t")
    store = KeptWork(str(tmp_path.parent), tmp_path.name, Inversion, ["t"])
    assert store.missing("t", {"a": "k"}) == {"a"}


def test_what_unfolds_into_billions_is_not_unfolded(tmp_path: Path) -> None:
    rows = bucket_module.MOST_ROWS + 1
    path = tmp_path / "t.parquet"
    # A few kilobytes: one value, and how often.
    table = pa.table({"photo": pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()).fill_null(0), ["a"])})
    pq.write_table(table, path, row_group_size=rows)
    assert path.stat().st_size < 2**20
    with pytest.raises(ProjectError, match="larger than any that falco writes"):
        list(read_table(path, PhotoFile))
    with path.open("rb") as file, pytest.raises(StoreError, match="larger than any"):
        list(Bucket(file, Inversion).read())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dtype", "O"),
        ("dtype", "V9999999"),
        ("dtype", "(2,)<f4"),
        ("shape", "[-1]"),
        ("shape", "[1e99]"),
        ("shape", "["),
    ],
)
def test_arrays_of_anything_but_numbers_are_refused(key: str, value: str) -> None:
    data = encode_bucket([Kept("a", "k", Inversion(SHA, 0.5, {"codes": np.zeros(4, np.float32)}))], Inversion)
    table = pq.read_table(io.BytesIO(data))
    number = table.schema.get_field_index("array:codes")
    field = table.schema.field(number)
    field = field.with_metadata({**field.metadata, key.encode(): value.encode()})
    file = io.BytesIO()
    pq.write_table(table.cast(table.schema.set(number, field)), file)
    file.seek(0)
    # Either it is no bucket, or the digest over what it says does not hold: nothing comes out.
    with suppress(StoreError):
        assert list(Bucket(file, Inversion).read()) == []


@pytest.mark.parametrize("url", ["gopher://x/y", "s4://x", "simplecache::gopher://x"])
def test_a_store_of_an_unknown_kind_is_one_line(url: str) -> None:
    with pytest.raises(ParamsError, match="store.path"):
        KeptWork(url, "align", Inversion, [])


def test_a_folder_whose_name_looks_like_an_address_is_a_folder(tmp_path: Path) -> None:
    store = KeptWork(str(tmp_path / "a::b"), "align", Inversion, [])
    store.add([Kept("a", "k", Inversion(SHA, 0.5))])
    assert len(list((tmp_path / "a::b/align").iterdir())) == 1
