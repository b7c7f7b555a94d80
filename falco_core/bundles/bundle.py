"""Loading a bundle's networks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from falco_core.bundles.catalogue import bundle_folder, check_file, load_spec
from falco_core.bundles.spec import BundleSpec, NetworkSpec
from falco_core.errors import BundleError, first_line
from falco_core.networks.arcface import Recogniser
from falco_core.networks.dino import Dino
from falco_core.networks.e4e import Encoder
from falco_core.networks.farl import Farl, FarlText
from falco_core.networks.heldout import HeldOutRecogniser
from falco_core.networks.probe import Probe
from falco_core.networks.start import Start
from falco_core.networks.stylegan2 import Generator

BUILDERS: dict[str, Callable[[Any], nn.Module]] = {
    "generator": Generator,
    "encoder": Encoder,
    "recogniser": Recogniser,
    "heldout": HeldOutRecogniser,
    "farl": Farl,
    "farl_text": FarlText,
    "clip": Farl,
    "dino": Dino,
    "probe": Probe,
    "start": Start,
}
"""The class of each network that bundle.yaml can name."""


_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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
    farl_text: FarlText | None = None
    clip: Farl | None = None
    dino: Dino | None = None
    probe: Probe | None = None
    start: Start | None = None

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Images [N, 3, R, R] in [-1, 1] -> their unit embeddings [N, E] in every pairing space of the bundle."""
        networks = {"farl": self.farl, "clip": self.clip, "dino": self.dino}
        towers = {name: tower.embed(images) for name, tower in networks.items() if tower is not None}
        return {"recogniser": self.recogniser(images), **towers}


def load_bundle(name_or_folder: str | Path, *, device: str = "cpu") -> Bundle:
    """Load all networks of a bundle; every file's sha256 is checked before it is read.

    On a CPU the weights stay where they are, in the mapped files: nothing is copied that is float32 already.
    """
    spec = load_spec(name_or_folder)
    folder = bundle_folder(name_or_folder)
    networks = spec.networks.present()
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda network: check_file(folder / network.file, network.sha256), networks.values()))
    modules: dict[str, Any] = {
        name: load_network(name, network, folder, device=device) for name, network in networks.items()
    }
    return Bundle(spec=spec, device=torch.device(device), **modules)


def load_network(name: str, network: NetworkSpec[Any], folder: Path, *, device: str = "cpu") -> Any:
    """Load the network called `name`, strictly, from a file that has been checked; raises BundleError."""
    path = folder / network.file
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise BundleError(f"{path} is not a safetensors file: {first_line(error)}") from None
    try:
        with Unfilled():
            module: nn.Module = BUILDERS[name](network.config)
    # Sizes that do not fit together, or more than the memory: each of the libraries says so in a way of its own.
    except Exception as error:
        raise BundleError(f"{path.parent}: no {name} can be built of this configuration: {first_line(error)}") from None
    _check_weights(weights, module.state_dict(), path)
    weights = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in weights.items()}
    module.load_state_dict(weights, assign=True)
    if device != "cpu":
        module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.eval().requires_grad_(False)


class Unfilled(TorchFunctionMode):
    """Networks built inside hold whatever memory holds: for those whose weights are read from a file at once."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Leave out the filling with random numbers, which takes seconds for large networks."""
        kwargs = kwargs or {}
        if func in (Tensor.uniform_, Tensor.normal_) or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **kwargs)


def _check_weights(weights: dict[str, Tensor], expected: dict[str, Tensor], path: Path) -> None:
    if wrong := sorted(set(expected) ^ set(weights)):
        raise BundleError(f"{path}: {wrong[0]} is {'missing' if wrong[0] in expected else 'unknown'}")
    for key, tensor in weights.items():
        if tensor.shape != expected[key].shape:
            raise BundleError(f"{path}: {key} has shape {list(tensor.shape)}, not {list(expected[key].shape)}")
        if tensor.is_floating_point() != expected[key].is_floating_point() or tensor.is_complex():
            raise BundleError(f"{path}: {key} holds {tensor.dtype}, not {expected[key].dtype}")
        if tensor.is_floating_point() and tensor.dtype not in _FLOATS:
            raise BundleError(f"{path}: {key} holds {tensor.dtype}, which falco does not read")
        if not all_finite(tensor):
            raise BundleError(f"{path}: {key} holds numbers that are not finite")


def all_finite(tensor: Tensor) -> bool:
    """Whether no element is infinite or NaN, without a copy of the tensor."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    # The extremes of a tensor with a NaN are NaN.
    return all(extreme.isfinite() for extreme in tensor.aminmax())
