"""What is built on IR-SE50: InsightFace_Pytorch's recogniser and e4e's encoder."""

import math
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from torch import Tensor

from falco_core.bundles.official.checkpoint import Weights, outline, section, tensors_of
from falco_core.bundles.official.translate import Converted, Naming, highest, translate
from falco_core.errors import BundleError
from falco_core.networks.config import EncoderConfig, RecogniserConfig

Four = tuple[int, int, int, int]


def convert_recogniser(path: Path, content: Mapping[str, Any]) -> Converted:
    """model_ir_se50.pth, whose keys are ours."""
    weights = _flat(path, content, "output_layer.3.weight", "an IR-SE50 recogniser")
    channels, units = _groups(weights)
    embedding, flattened = weights.shape("output_layer.3.weight")
    side = math.isqrt(flattened // channels[-1])
    config = RecogniserConfig(input_size=16 * side, channels=channels, units=units, embedding=embedding)
    return translate(weights, "recogniser", config, Naming(()))


def convert_encoder(path: Path, content: Mapping[str, Any]) -> Converted:
    """`encoder.*` and `latent_avg` of e4e_ffhq_encode.pt."""
    part = section(path, content, "state_dict")
    mean = content.get("latent_avg")
    weights = part.below("encoder.") if part else Weights(path, {})
    if not weights.tensors:
        raise BundleError(f"{path} is no e4e encoder: expected state_dict with encoder.*, found {outline(content)}")
    if not isinstance(mean, Tensor):
        raise BundleError(f"{path}: latent_avg is missing")
    channels, units = _groups(weights)
    halvings = highest(weights, r"styles\.0\.convs\.(\d+)\.") // 2 + 1
    config = EncoderConfig(
        num_layers=highest(weights, r"styles\.(\d+)\.") + 1,
        w_dim=weights.shape("styles.0.linear.weight")[0],
        input_size=16 * 2**halvings,
        channels=channels,
        units=units,
    )
    return translate(Weights(path, {**weights.tensors, "latent_avg": mean}), "encoder", config, Naming(()))


def _flat(path: Path, content: Mapping[str, Any], key: str, what: str) -> Weights:
    if key not in content:
        raise BundleError(f"{path} is not {what}: expected {key}, found {outline(content)}")
    return tensors_of(path, content)


def _groups(weights: Weights) -> tuple[Four, Four]:
    """Widths of the body's four groups, and how many units each has."""
    count = highest(weights, r"body\.(\d+)\.") + 1
    widths = [weights.shape(f"body.{unit}.res_layer.1.weight")[0] for unit in range(count)]
    groups = [(width, len(list(units))) for width, units in groupby(widths)]
    if len(groups) != 4:
        odd = f"body.{widths.index(min(groups, key=lambda group: group[1])[0])}.res_layer.1.weight"
        raise BundleError(
            f"{weights.path}: {odd} has shape {list(weights.shape(odd))}, which does not fit a body of four groups"
        )
    (a, i), (b, j), (c, k), (d, m) = groups
    return (a, b, c, d), (i, j, k, m)
