"""Bundles of others: no code, no network, no end of memory, and weights that are what they say."""

import hashlib
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from falco_core.bundles import load_spec
from falco_core.bundles.bundle import load_bundle
from falco_core.bundles.official.checkpoint import read_checkpoint
from falco_core.errors import BundleError


@pytest.fixture
def folder(tiny_bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle_folder, tmp_path / "bundle"))


def with_value(folder: Path, dotted: str, value: object) -> None:
    path = folder / "bundle.yaml"
    document: Any = yaml.safe_load(path.read_text())
    *parts, last = dotted.split(".")
    place = document
    for part in parts:
        place = place[part]
    place[last] = value
    path.write_text(yaml.safe_dump(document))


CONFIGS = {
    "an address to fetch from": ("heldout.config.architecture", "hf-hub:somebody/model"),
    "a folder to read from": ("heldout.config.architecture", "local-dir:/tmp/evil"),
    "a path": ("heldout.config.architecture", "../../evil"),
    "an address in another network": ("probe", {"config": {"architecture": "hf_hub:x/y", "attributes": ["a"]}}),
    "a billion layers": ("farl.config.layers", 10**9),
    "a billion blocks": ("encoder.config.units", [1, 1, 1, 10**9]),
    "a billion channels": ("encoder.config.channels", [8, 8, 8, 10**9]),
    "a huge image": ("farl.config.image_size", 10**9),
    "a huge resolution": ("generator.config.resolution", 2**40),
    "a huge width": ("generator.config.w_dim", 10**12),
    "no number": ("generator.config.mapping_lr_multiplier", float("nan")),
    "a number without end": ("generator.config.mapping_lr_multiplier", float("inf")),
    "a file elsewhere": ("encoder.file", "../encoder.safetensors"),
    "a whole path": ("encoder.file", "/etc/passwd"),
    "another format": ("encoder.file", "encoder.pt"),
    "no digest": ("encoder.sha256", "0"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_description_that_asks_for_too_much_is_one_line(folder: Path, name: str) -> None:
    key, value = CONFIGS[name]
    with_value(folder, f"networks.{key}", value)
    with pytest.raises(BundleError, match=key.split(".")[0]) as error:
        load_spec(folder)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("heldout.config.architecture", "no_such_network"),
        ("farl.config.heads", 7),
        ("farl.config.image_size", 8),
        ("generator.config.channel_base", 8),
        ("recogniser.config.input_size", 32),
    ],
)
def test_sizes_that_do_not_fit_together_are_one_line(folder: Path, key: str, value: object) -> None:
    with_value(folder, f"networks.{key}", value)
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert str(error.value).isprintable()


TEXTS = {
    "aliases": ("a: &a [x]\nb: [*a, *a]\n", "aliases"),
    "a tag": ("!!python/object/apply:os.system [id]", "python/object"),
    "levels": ("[" * 9999, "nested deeper"),
    "length": ("# " + "x" * 200_000, "longer than"),
    "no text": ("\x00", "not readable"),
    "a list": ("- a", "bundle"),
    "nothing": ("", "bundle"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_description_that_is_none_is_one_line(folder: Path, name: str) -> None:
    text, words = TEXTS[name]
    (folder / "bundle.yaml").write_text(text)
    start = time.monotonic()
    with pytest.raises(BundleError, match=words) as error:
        load_spec(folder)
    assert time.monotonic() - start < 5
    assert str(error.value).isprintable()


def test_a_fifo_in_a_descriptions_place_is_not_waited_for(folder: Path) -> None:
    (folder / "bundle.yaml").unlink()
    os.mkfifo(folder / "bundle.yaml")
    with pytest.raises(BundleError, match="cannot be read"):
        load_spec(folder)


def signed(folder: Path, network: str, change: Callable[[Path], None]) -> None:
    path = folder / f"{network}.safetensors"
    change(path)
    with_value(folder, f"networks.{network}.sha256", hashlib.sha256(path.read_bytes()).hexdigest())


def cast(kind: torch.dtype) -> Callable[[Path], None]:
    return lambda path: save_file({key: value.to(kind) for key, value in load_file(path).items()}, path)


@pytest.mark.parametrize("kind", [torch.int64, torch.uint8, torch.bool, torch.float8_e4m3fn], ids=str)
def test_weights_that_are_no_floats_are_refused(folder: Path, kind: torch.dtype) -> None:
    signed(folder, "generator", cast(kind))
    with pytest.raises(BundleError, match=f"holds {kind}"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 64, (2**62).to_bytes(8, "little") + b"{}", b"PK\x03\x04" * 9], ids=range(4)
)
def test_weights_that_are_no_safetensors_are_one_line(folder: Path, data: bytes) -> None:
    signed(folder, "farl", lambda path: path.write_bytes(data) and None)
    with pytest.raises(BundleError, match="not a safetensors file") as error:
        load_bundle(folder)
    assert str(error.value).isprintable()


def test_packed_records_of_a_checkpoint_are_read_and_not_mapped(tmp_path: Path) -> None:
    weights = {"a": torch.arange(4096, dtype=torch.float32)}
    torch.save(weights, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(tmp_path / "packed.pt", "w") as packed:
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry), compress_type=zipfile.ZIP_DEFLATED)
    assert (tmp_path / "packed.pt").stat().st_size < (tmp_path / "plain.pt").stat().st_size
    try:
        torch.testing.assert_close(read_checkpoint(tmp_path / "packed.pt")["a"], weights["a"])
    except BundleError as error:
        assert "damaged" in str(error)  # refused is right, too: never other numbers
