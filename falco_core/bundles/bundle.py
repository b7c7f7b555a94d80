"""Loading a bundle's networks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from falco_core.bundles.catalogue import bundle_folder, check_file, load_spec
from falco_core.bundles.spec import BundleSpec, NetworkSpec
from falco_core.errors import BundleError
from falco_core.networks.arcface import Recogniser
from falco_core.networks.e4e import Encoder
from falco_core.networks.farl import Farl
from falco_core.networks.heldout import HeldOutRecogniser
from falco_core.networks.stylegan2 import Generator

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
    # Channels-last convolutions are 1.2 to 1.7 times faster on a CPU.
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.eval().requires_grad_(False)
