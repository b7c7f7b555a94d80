"""Finding, checking and loading bundles."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from falco_core.bundles.spec import BundleSpec, NetworkSpec
from falco_core.errors import BundleError
from falco_core.networks import Encoder, Farl, Generator, HeldOutRecogniser, Recogniser

SPEC_FILE = "bundle.yaml"
SHIPPED = ("mini",)

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Bundle:
    """The networks of one bundle, loaded: in eval mode, float32, without weight gradients, on one device."""

    spec: BundleSpec
    device: torch.device
    generator: Generator
    encoder: Encoder
    recogniser: Recogniser
    heldout: HeldOutRecogniser
    farl: Farl


@dataclass(frozen=True)
class BundleEntry:
    """A bundle that falco knows of, and whether it can be used."""

    name: str
    ready: bool
    detail: str


def load_spec(name_or_folder: str | Path) -> BundleSpec:
    """Read and check a bundle's bundle.yaml; raises BundleError."""
    path = bundle_folder(name_or_folder) / SPEC_FILE
    try:
        return BundleSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BundleError(f"no bundle at {path.parent}: name `mini` or a folder with a {SPEC_FILE}") from None
    except yaml.YAMLError as error:
        raise BundleError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{path}: {key or 'bundle'}: {first['msg']}") from None


def load_bundle(name_or_folder: str | Path, *, device: str = "cpu") -> Bundle:
    """Load all networks of a bundle; every file's sha256 is checked before it is read."""
    spec = load_spec(name_or_folder)
    folder = bundle_folder(name_or_folder)
    networks = spec.networks
    return Bundle(
        spec=spec,
        device=torch.device(device),
        generator=_load(Generator, networks.generator, folder, device),
        encoder=_load(Encoder, networks.encoder, folder, device),
        recogniser=_load(Recogniser, networks.recogniser, folder, device),
        heldout=_load(HeldOutRecogniser, networks.heldout, folder, device),
        farl=_load(Farl, networks.farl, folder, device),
    )


def list_bundles() -> list[BundleEntry]:
    """The bundles that come with falco."""
    return [_entry(name) for name in SHIPPED]


def bundle_folder(name_or_folder: str | Path) -> Path:
    """The folder of a shipped bundle's name, or the folder itself."""
    if str(name_or_folder) in SHIPPED:
        return Path(__file__).parent / str(name_or_folder)
    return Path(name_or_folder)


def check_file(path: Path, sha256: str) -> None:
    """Raise BundleError unless `path` has the digest."""
    if not path.is_file():
        raise BundleError(f"{path} is missing: install the bundle again")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise BundleError(f"{path} is damaged or was changed (sha256 {found[:12]}…, expected {sha256[:12]}…)")


def _load(build: Callable[[Any], Network], network: NetworkSpec[Any], folder: Path, device: str) -> Network:
    path = folder / network.file
    check_file(path, network.sha256)
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise BundleError(f"{path} is not a safetensors file: {error}") from None
    module = build(network.config)
    expected = module.state_dict()
    if wrong := sorted(set(expected) ^ set(weights)):
        raise BundleError(f"{path}: {wrong[0]} is {'missing' if wrong[0] in expected else 'unknown'}")
    for key, tensor in weights.items():
        if tensor.shape != expected[key].shape:
            raise BundleError(f"{path}: {key} has shape {list(tensor.shape)}, not {list(expected[key].shape)}")
        if not tensor.isfinite().all():
            raise BundleError(f"{path}: {key} holds numbers that are not finite")
    module.load_state_dict(weights)
    return module.to(device).eval().requires_grad_(False)


def _entry(name: str) -> BundleEntry:
    try:
        spec = load_spec(name)
        for key in type(spec.networks).model_fields:
            network = getattr(spec.networks, key)
            check_file(bundle_folder(name) / network.file, network.sha256)
    except BundleError as error:
        return BundleEntry(name, False, str(error))
    return BundleEntry(name, True, f"version {spec.version}, {spec.resolution} px, licence {spec.licence}")
