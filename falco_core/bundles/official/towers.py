"""Transformers that look at whole images: FaRL, CLIP (both with a text tower) and DINO."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from falco_core.bundles.official.checkpoint import Weights, outline, section, tensors_of
from falco_core.bundles.official.translate import Converted, Naming, Rule, highest, translate
from falco_core.errors import BundleError
from falco_core.networks.config import DinoConfig, FarlConfig, FarlTextConfig

HEAD_WIDTH = 64
"""Channels per attention head in all of these networks, as published."""
TEXT_TOWER = ("positional_embedding", "text_projection", "token_embedding.", "transformer.", "ln_final.")
TRAINING_ONLY = (
    # The scale of the contrast, FaRL's masked image modelling, and numbers that OpenAI's archive adds.
    r"logit_scale|(?:visual\.)?(?:lm_transformer\..+|lm_head\..+|ln_lm\..+|mask_token)"
    r"|input_resolution|context_length|vocab_size|attn_mask"
)


def convert_farl(path: Path, content: Mapping[str, Any]) -> list[Converted]:
    """FaRL-Base-Patch16-*.pth: the image tower, and the text tower where there is one."""
    weights = _clip_naming(path, content)
    image, text = _split(weights)
    return [_image_tower(image, "farl"), *([_text_tower(text)] if text.tensors else [])]


def convert_clip(path: Path, content: Mapping[str, Any]) -> list[Converted]:
    """CLIP (OpenAI's weights, which are trained with QuickGELU) in open_clip's naming; its text tower is not used."""
    image, _ = _split(_clip_naming(path, content))
    return [_image_tower(image, "clip")]


def convert_dino(path: Path, content: Mapping[str, Any]) -> list[Converted]:
    """dino_vitbase16_pretrain.pth, or timm's vit_base_patch16_224.dino: the same keys."""
    if "blocks.0.attn.qkv.weight" not in content:
        raise BundleError(f"{path} is no DINO: expected blocks.0.attn.qkv.weight, found {outline(content)}")
    weights = tensors_of(path, content)
    width, _, patch, _ = weights.shape("patch_embed.proj.weight")
    config = DinoConfig(
        image_size=math.isqrt(weights.shape("pos_embed")[1] - 1) * patch,
        patch_size=patch,
        width=width,
        layers=highest(weights, r"blocks\.(\d+)\.") + 1,
        heads=max(width // HEAD_WIDTH, 1),
    )
    return [translate(weights, "dino", config, Naming((Rule(r"visual\.(.+)", r"\1"),)))]


def _clip_naming(path: Path, content: Mapping[str, Any]) -> Weights:
    weights = section(path, content, "state_dict") or (tensors_of(path, content) if "visual.proj" in content else None)
    if weights is None or "visual.proj" not in weights.tensors:
        raise BundleError(f"{path} is no FaRL or CLIP: expected visual.*, found {outline(content)}")
    return weights


def _split(weights: Weights) -> tuple[Weights, Weights]:
    """The text tower's tensors apart from all others."""
    text = {key: tensor for key, tensor in weights.tensors.items() if key.startswith(TEXT_TOWER)}
    image = {key: tensor for key, tensor in weights.tensors.items() if key not in text}
    return Weights(weights.path, image), Weights(weights.path, text)


def _image_tower(weights: Weights, network: str) -> Converted:
    width, _, patch, _ = weights.shape("visual.conv1.weight")
    config = FarlConfig(
        image_size=math.isqrt(weights.shape("visual.positional_embedding")[0] - 1) * patch,
        patch_size=patch,
        width=width,
        layers=highest(weights, r"visual\.transformer\.resblocks\.(\d+)\.") + 1,
        heads=max(width // HEAD_WIDTH, 1),
        embedding=weights.shape("visual.proj")[1],
    )
    return translate(weights, network, config, Naming((), ignored=TRAINING_ONLY))


def _text_tower(weights: Weights) -> Converted:
    length, width = weights.shape("positional_embedding")
    config = FarlTextConfig(
        context_length=length,
        vocabulary=weights.shape("token_embedding.weight")[0],
        width=width,
        layers=highest(weights, r"transformer\.resblocks\.(\d+)\.") + 1,
        heads=max(width // HEAD_WIDTH, 1),
        embedding=weights.shape("text_projection")[1],
    )
    return translate(weights, "farl_text", config, Naming((Rule(r"text\.(.+)", r"\1"),)))
