"""Thresholds for bundles without people of their own: generated people, no two of them the same."""

from pathlib import Path

import torch
from torch import Tensor, nn

from falco_core.bundles.bundle import load_network
from falco_core.bundles.catalogue import load_spec
from falco_core.bundles.spec import Thresholds
from falco_core.errors import BundleError
from falco_core.networks.stylegan2 import Generator

PEOPLE = 128
"""8128 pairs, of which 81 lie above a threshold of false-accept rate 1 %."""
FALSE_ACCEPT_RATE = 0.01
VIEW = 256
"""Pixels; no recogniser looks at a larger picture."""


@torch.inference_mode()
def calibrate_thresholds(folder: Path, *, people: int = PEOPLE) -> Thresholds:
    """The cosines above which 1 % of pairs of generated strangers lie (untruncated, seeds 0 .. people - 1)."""
    networks = load_spec(folder).networks
    images = _strangers(load_network("generator", networks.generator, folder), people)
    recogniser = load_network("recogniser", networks.recogniser, folder)
    heldout = load_network("heldout", networks.heldout, folder)
    return Thresholds(recogniser=_threshold(recogniser, images), heldout=_threshold(heldout, images))


def _strangers(generator: Generator, people: int) -> Tensor:
    size = min(VIEW, generator.config.resolution)
    images = []
    for seed in range(people):
        z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
        images.append(generator.synthesize(generator.broadcast(generator.map(z)), resolution=size))
    return torch.cat(images)


def _threshold(recogniser: nn.Module, images: Tensor) -> float:
    embeddings = torch.cat([recogniser(batch) for batch in images.split(16)])
    if not embeddings.isfinite().all():
        raise BundleError(f"{type(recogniser).__name__} gives numbers that are not finite on generated faces")
    rows, columns = torch.triu_indices(len(images), len(images), offset=1)
    cosines = (embeddings @ embeddings.T)[rows, columns]
    return float(cosines.quantile(1.0 - FALSE_ACCEPT_RATE).clamp(-1.0, 1.0))
