"""The pool of generated faces."""

from collections.abc import Sequence

import numpy as np
import torch

from falco_core.bundles.bundle import Bundle
from falco_core.networks.shapes import in_shape

PER_BUCKET = 4096
"""Fakes in a bucket."""


def fake_id(number: int) -> str:
    """The id of a fake's item."""
    return f"{number:07d}"


def fake_bucket(number: int) -> str:
    """The bucket that a fake is kept in."""
    return f"{number // PER_BUCKET:04d}"


def seed_of(pool: int, number: int) -> int:
    """The seed of a fake: every fake has one of its own, so a larger pool keeps the smaller one's faces."""
    return pool * 1_000_003 + number


def draw_fakes(bundle: Bundle, seeds: Sequence[int], truncation: float) -> list[dict[str, np.ndarray]]:
    """A generated face per seed: codes [L, D], and its embedding [E] per pairing space."""
    batches = in_shape(
        len(seeds),
        bundle.generator.config.resolution,
        bundle.device,
        lambda rows, count: _batch(bundle, [seeds[row] for row in rows], truncation)[:count],
    )
    return [fake for batch in batches for fake in batch]


def _batch(bundle: Bundle, seeds: Sequence[int], truncation: float) -> list[dict[str, np.ndarray]]:
    generator = bundle.generator
    z = torch.cat([_latent(seed, generator.config.z_dim) for seed in seeds]).to(bundle.device)
    with torch.inference_mode():
        codes = generator.broadcast(generator.truncate(generator.map(z), truncation))
        arrays = {"codes": codes, **bundle.features(generator.synthesize(codes))}
    return [{name: array[row].cpu().numpy() for name, array in arrays.items()} for row in range(len(seeds))]


def _latent(seed: int, size: int) -> torch.Tensor:
    return torch.randn(1, size, generator=torch.Generator().manual_seed(seed))
