"""A complete bundle of random weights: for tests and for trying the plumbing without any training."""

from pathlib import Path

import torch

from falco_core.bundles.save import save_bundle
from falco_core.bundles.spec import BundleSpec, Thresholds
from falco_core.networks.arcface import Recogniser
from falco_core.networks.config import EncoderConfig, FarlConfig, GeneratorConfig, HeldOutConfig, RecogniserConfig
from falco_core.networks.e4e import Encoder
from falco_core.networks.farl import Farl
from falco_core.networks.heldout import HeldOutRecogniser
from falco_core.networks.stylegan2 import Generator


def make_random_bundle(folder: Path, *, resolution: int = 32, seed: int = 0) -> BundleSpec:
    """Write a bundle of untrained networks of a few thousand weights each."""
    layout = GeneratorConfig(
        resolution=resolution, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16
    )
    sizes = {"num_layers": layout.num_layers, "w_dim": 16, "input_size": 32}
    channels, units = (8, 8, 16, 16), (1, 1, 1, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return save_bundle(
            folder,
            name="random",
            version="0",
            licence="MIT",
            source=f"random weights, seed {seed}",
            optimize_layers=(3, min(8, layout.num_layers - 1)),
            learning_rate=0.03,
            thresholds=Thresholds(recogniser=0.99, heldout=0.99),
            generator=Generator(layout),
            encoder=Encoder(EncoderConfig(channels=channels, units=units, **sizes)),
            recogniser=Recogniser(
                RecogniserConfig(frame_size=32, input_size=16, channels=channels, units=units, embedding=16)
            ),
            heldout=HeldOutRecogniser(
                HeldOutConfig(architecture="resnet10t", frame_size=32, input_size=32, embedding=16)
            ),
            farl=Farl(FarlConfig(image_size=32, patch_size=16, width=16, layers=2, heads=2, embedding=16)),
        )
