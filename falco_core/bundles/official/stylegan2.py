"""StyleGAN2 generators: genforce's files, and rosinality's naming, which e4e's decoder has too."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from falco_core.bundles.official.checkpoint import Weights, outline, section
from falco_core.bundles.official.translate import Converted, Naming, Rule, highest, translate
from falco_core.errors import BundleError
from falco_core.networks.config import GeneratorConfig


def convert_generator(path: Path, content: Mapping[str, Any]) -> Converted:
    """A generator from any of the files that hold one; raises BundleError."""
    if (weights := section(path, content, "generator_smooth", "generator")) is not None:
        return _genforce(weights)
    if (weights := section(path, content, "g_ema")) is not None:
        return _rosinality(weights, content)
    if (weights := section(path, content, "state_dict")) is not None and weights.below("decoder.").tensors:
        return _rosinality(weights.below("decoder."), content)
    raise BundleError(
        f"{path} is no StyleGAN2 generator: expected generator_smooth, generator, g_ema or decoder.*, "
        f"found {outline(content)}"
    )


def _genforce(weights: Weights) -> Converted:
    last = max(highest(weights, r"synthesis\.output(\d+)\."), (highest(weights, r"synthesis\.layer(\d+)\.") + 1) // 2)
    config = _config(
        z_w=weights.shape("mapping.dense0.weight"),
        mapping_layers=highest(weights, r"mapping\.dense(\d+)\.") + 1,
        first=weights.shape("synthesis.early_layer.const")[1],
        last=weights.shape(f"synthesis.output{last}.weight")[1],
        resolution=4 * 2**last,
    )
    return translate(weights, "generator", config, GENFORCE)


def _rosinality(weights: Weights, content: Mapping[str, Any]) -> Converted:
    mean = content.get("latent_avg")
    if not isinstance(mean, Tensor):
        raise BundleError(f"{weights.path}: latent_avg is missing")
    weights = Weights(weights.path, {**weights.tensors, "latent_avg": mean})
    last = max(highest(weights, r"to_rgbs\.(\d+)\.") + 1, (highest(weights, r"convs\.(\d+)\.") + 2) // 2)
    config = _config(
        z_w=weights.shape("style.1.weight"),
        mapping_layers=highest(weights, r"style\.(\d+)\."),
        first=weights.shape("input.input")[1],
        last=weights.shape(f"to_rgbs.{last - 1}.conv.weight")[2],
        resolution=4 * 2**last,
    )
    return translate(weights, "generator", config, ROSINALITY)


def _config(*, z_w: tuple[int, ...], mapping_layers: int, first: int, last: int, resolution: int) -> GeneratorConfig:
    w_dim, z_dim = z_w
    return GeneratorConfig(
        resolution=resolution,
        z_dim=z_dim,
        w_dim=w_dim,
        mapping_layers=mapping_layers,
        channel_base=last * resolution,
        channel_max=first,
    )


def _turned(weight: Tensor) -> Tensor:
    # genforce's transposed convolutions turn their weights by half a circle first.
    return weight.flip(2, 3)


def _plus_one(bias: Tensor) -> Tensor:
    # genforce adds the one around which styles vary when it uses them.
    return bias + 1.0


def _one_image(weight: Tensor) -> Tensor:
    # rosinality's weights have a first axis for the image.
    return weight.squeeze(0)


def _bare(tensor: Tensor) -> Tensor:
    return tensor.squeeze()


def _one_row(mean: Tensor) -> Tensor:
    # e4e repeats the generator's mean w once per layer.
    return mean if mean.dim() == 1 else mean[0]


def _layer(match: re.Match[str]) -> str:
    return "conv1." if match[1] == "0" else f"convs.{int(match[1]) - 1}."


def _rgb(match: re.Match[str]) -> str:
    return "to_rgb1." if match[1] == "0" else f"to_rgbs.{int(match[1]) - 1}."


_STYLE = r"conv\.style\.(weight|bias)"

GENFORCE = Naming(
    rules=(
        Rule(r"mapping\.(\d+)\.(.+)", r"mapping.dense\1.\2"),
        Rule(r"w_mean", "truncation.w_avg"),
        Rule(r"const", "synthesis.early_layer.const"),
        Rule(r"layers\.(\d*[13579])\.conv\.weight", r"synthesis.layer\1.weight", _turned),
        Rule(r"layers\.(\d+)\.conv\.weight", r"synthesis.layer\1.weight"),
        Rule(r"layers\.(\d+)\.conv\.style\.weight", r"synthesis.layer\1.style.weight"),
        Rule(r"layers\.(\d+)\.conv\.style\.bias", r"synthesis.layer\1.style.bias", _plus_one),
        Rule(r"layers\.(\d+)\.(.+)", r"synthesis.layer\1.\2"),
        Rule(r"to_rgb\.(\d+)\.conv\.style\.bias", r"synthesis.output\1.style.bias", _plus_one),
        Rule(r"to_rgb\.(\d+)\.(?:conv\.)?(.+)", r"synthesis.output\1.\2"),
    ),
    filters=r"synthesis\.upsample\.kernel|synthesis\.layer\d+\.filter\.kernel",
)

ROSINALITY = Naming(
    rules=(
        Rule(r"mapping\.(\d+)\.(.+)", lambda match: f"style.{int(match[1]) + 1}.{match[2]}"),
        Rule(r"w_mean", "latent_avg", _one_row),
        Rule(r"const", "input.input"),
        Rule(r"layers\.(\d+)\.noise", r"noises.noise_\1"),
        Rule(r"layers\.(\d+)\.conv\.weight", lambda match: _layer(match) + "conv.weight", _one_image),
        Rule(r"layers\.(\d+)\." + _STYLE, lambda match: f"{_layer(match)}conv.modulation.{match[2]}"),
        Rule(r"layers\.(\d+)\.noise_strength", lambda match: _layer(match) + "noise.weight", _bare),
        Rule(r"layers\.(\d+)\.bias", lambda match: _layer(match) + "activate.bias"),
        Rule(r"to_rgb\.(\d+)\.conv\.weight", lambda match: _rgb(match) + "conv.weight", _one_image),
        Rule(r"to_rgb\.(\d+)\." + _STYLE, lambda match: f"{_rgb(match)}conv.modulation.{match[2]}"),
        Rule(r"to_rgb\.(\d+)\.bias", lambda match: _rgb(match) + "bias", _bare),
    ),
    filters=r"(?:conv1|convs\.\d+)\.conv\.blur\.kernel|to_rgbs\.\d+\.upsample\.kernel",
)
