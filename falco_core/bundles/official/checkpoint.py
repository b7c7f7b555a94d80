"""Reading published checkpoint files: only numbers come out of them, and no code of theirs is ever run."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint

from falco_core.errors import BundleError, first_line


@dataclass(frozen=True)
class Weights:
    """Tensors of a checkpoint by their official keys, and the file they come from."""

    path: Path
    tensors: Mapping[str, Tensor]

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of one tensor; raises BundleError if there is none."""
        return tuple(self.get(key).shape)

    def get(self, key: str) -> Tensor:
        """One tensor; raises BundleError if there is none."""
        if key not in self.tensors:
            raise BundleError(f"{self.path}: {key} is missing")
        return self.tensors[key]

    def below(self, prefix: str) -> "Weights":
        """The tensors whose keys start with `prefix`, which is cut off."""
        found = {key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)}
        return Weights(self.path, found)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """All of a checkpoint, without running code; large tensors stay in the file until they are used.

    Reads PyTorch's two formats and safetensors. Raises BundleError in one line if the file is missing, damaged, or
    asks for anything but tensors and plain values.
    """
    if not path.is_file():
        raise BundleError(f"{path}: no such file")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _torch_load(path)
    except pickle.UnpicklingError as error:
        raise BundleError(f"{path} is refused: {_what_it_asks(path, error)}") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile, SafetensorError) as error:
        if "TorchScript" in str(error):
            raise BundleError(
                f"{path} is a TorchScript archive, which holds code: convert a plain weights file"
            ) from None
        raise BundleError(f"{path} is damaged, or no checkpoint; get it again: {first_line(error)}") from None
    if not isinstance(content, dict):
        raise BundleError(f"{path} holds a {type(content).__name__}, no named weights")
    return content


def section(path: Path, content: Mapping[str, Any], *names: str) -> Weights | None:
    """The first of the parts called `names` that a checkpoint has, as weights; None if it has none of them."""
    for name in names:
        if isinstance(part := content.get(name), Mapping):
            return tensors_of(path, part)
    return None


def tensors_of(path: Path, content: Mapping[str, Any]) -> Weights:
    """A part of a checkpoint that must hold nothing but tensors."""
    for key, value in content.items():
        if not isinstance(value, Tensor):
            raise BundleError(f"{path}: {key} is a {type(value).__name__}, no tensor")
    return Weights(path, content)


def outline(content: Mapping[str, Any], count: int = 3) -> str:
    """The first keys of a checkpoint, for errors."""
    keys = [str(key) for key in content]
    return ", ".join(keys[:count]) + (", …" if len(keys) > count else "") if keys else "nothing"


def _torch_load(path: Path) -> Any:
    with warnings.catch_warnings(action="ignore"):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=_can_be_mapped(path))


def _can_be_mapped(path: Path) -> bool:
    """Whether a memory map shows what a reader would read: packed or doubled records are other bytes in the file."""
    if not zipfile.is_zipfile(path):
        return False  # the older of the two formats
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    whole = all(
        entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size for entry in entries
    )
    return whole and len({entry.filename for entry in entries}) == len(entries)


def _what_it_asks(path: Path, error: pickle.UnpicklingError) -> str:
    zipped = zipfile.is_zipfile(path)
    names = get_unsafe_globals_in_checkpoint(path) if zipped else re.findall(r"GLOBAL ([\w.]+)", str(error))
    if names:
        return f"besides weights it holds code or objects ({', '.join(names[:3])}), which falco never loads"
    return "it is damaged, or holds more than weights"
