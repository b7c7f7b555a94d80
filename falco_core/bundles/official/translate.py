"""From official keys to ours, complete and strict: every tensor is accounted for, by name and shape."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from falco_core.bundles.bundle import BUILDERS, all_finite
from falco_core.bundles.official.checkpoint import Weights
from falco_core.errors import BundleError
from falco_core.networks.config import NetworkConfig
from falco_core.networks.stylegan2 import fir_kernel


@dataclass(frozen=True)
class Rule:
    """Where our tensors come from: a pattern of our key, the official key, and how the numbers change on the way."""

    ours: str
    official: str | Callable[[re.Match[str]], str]
    change: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Naming:
    """All of one published network's names.

    `filters` are keys that hold the fixed low-pass filter, which must be ours; `ignored` are keys of parts that only
    training needs.
    """

    rules: tuple[Rule, ...]
    filters: str = ""
    ignored: str = ""


@dataclass(frozen=True)
class Converted:
    """A network in our form: its name in bundle.yaml, its sizes, its weights under our keys, all finite."""

    network: str
    config: NetworkConfig
    weights: dict[str, Tensor]


def translate(weights: Weights, network: str, config: NetworkConfig, naming: Naming) -> Converted:
    """Rename and check all of `weights`; raises BundleError naming the first missing, misshapen or extra key."""
    taken = {}
    left = dict(weights.tensors)
    for ours, shape in expected_shapes(network, config).items():
        official, change = _origin(ours, naming)
        tensor = _changed(_checked(weights, official), change)
        if tensor.shape != shape:
            found, wanted = list(weights.shape(official)), list(shape)
            raise BundleError(f"{weights.path}: {official} has shape {found}, which does not fit {ours} {wanted}")
        taken[ours] = tensor
        left.pop(official, None)
    for official in left:
        if re.fullmatch(naming.filters, official):
            _check_filter(weights, official)
        elif not re.fullmatch(naming.ignored, official):
            raise BundleError(f"{weights.path}: {official} is unknown")
    return Converted(network, config, taken)


def expected_shapes(network: str, config: NetworkConfig) -> Mapping[str, torch.Size]:
    """Our keys and shapes of a network of these sizes."""
    with torch.device("meta"):
        module = BUILDERS[network](config)
    return {key: tensor.shape for key, tensor in module.state_dict().items()}


def highest(weights: Weights, pattern: str) -> int:
    """The largest number that `pattern`'s group has in the keys; -1 if none matches."""
    return max((int(match[1]) for key in weights.tensors if (match := re.match(pattern, key))), default=-1)


def _origin(ours: str, naming: Naming) -> tuple[str, Callable[[Tensor], Tensor] | None]:
    for rule in naming.rules:
        if match := re.fullmatch(rule.ours, ours):
            return (
                match.expand(rule.official) if isinstance(rule.official, str) else rule.official(match)
            ), rule.change
    return ours, None


def _checked(weights: Weights, official: str) -> Tensor:
    tensor = weights.get(official)
    if not all_finite(tensor):
        raise BundleError(f"{weights.path}: {official} holds numbers that are not finite")
    return tensor.float() if tensor.is_floating_point() else tensor


def _changed(tensor: Tensor, change: Callable[[Tensor], Tensor] | None) -> Tensor:
    try:
        return change(tensor) if change else tensor
    except IndexError:
        # Too few axes: the caller finds that the shape is wrong.
        return tensor


def _check_filter(weights: Weights, official: str) -> None:
    kernel, ours = weights.get(official).float(), fir_kernel()
    if kernel.numel() != ours.numel() or not torch.allclose(kernel.reshape(ours.shape), ours, atol=1e-6):
        raise BundleError(f"{weights.path}: {official} is not the filter [1, 3, 3, 1] that falco uses")
