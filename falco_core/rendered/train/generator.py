"""The generator, by regression: z holds the renderer's latents, the target is their rendering.

Style mixing is supervised. Every parameter of the renderer belongs to one band of W+ layers (coarse, middle, fine).
In half of the pictures the codes of a band's layers come from a z in which only that band's latents are told and all
others are drawn anew; the target stays. So a layer learns to heed its own band alone, and a mix of two people's codes
is the face that mixed parameters describe.
"""

from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from falco_core.networks.config import GeneratorConfig
from falco_core.networks.resize import resize
from falco_core.networks.stylegan2 import Generator
from falco_core.rendered.parameters import LATENT_SIZE, band_mask
from falco_core.rendered.train.cache import Cached
from falco_core.rendered.train.losses import pyramid_loss
from falco_core.rendered.train.mapping import pretrain_mapping
from falco_core.rendered.train.progress import Progress
from falco_core.rendered.train.schedule import MovingAverage, Training, batches
from falco_core.rendered.train.sheets import write_sheet

BANDS = {"coarse": (0, 3), "middle": (3, 8), "fine": (8, 12)}
MIXED_SHARE = 0.5
QUARTER_UNTIL, HALF_UNTIL = 0.08, 0.40
"""Shares of the budget up to which pictures of a quarter and of half the resolution are learnt."""
BFLOAT16_UNTIL = 0.93
"""Share of the budget computed in bfloat16 (1.3 to 1.7 times faster on a CPU that has it); the rest polishes."""


def generator_config(size: int = 128) -> GeneratorConfig:
    """Sizes of the mini generator."""
    return GeneratorConfig(
        resolution=size,
        z_dim=LATENT_SIZE,
        w_dim=192,
        mapping_layers=3,
        mapping_lr_multiplier=1.0,
        normalize_z=False,
        channel_base=2560,
        channel_max=192,
    )


def train_generator(
    portraits: Cached,
    test: Cached,
    work: Path,
    *,
    minutes: float,
    config: GeneratorConfig | None = None,
    batch: int = 8,
) -> Generator:
    """Train for `minutes` and return the averaged generator."""
    torch.manual_seed(1)
    generator = Generator(config or generator_config()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # The targets have no noise, so the noise inputs stay as they start: off.
    for layer in generator.layers:
        layer.noise_strength.requires_grad_(False)
    if not (work / "generator.pt").is_file():
        print(f"mapping pretrained, loss {pretrain_mapping(generator):.3f}", flush=True)
    average = MovingAverage(generator, deepcopy(generator), decay=0.998)
    optimizer = torch.optim.Adam([p for p in generator.parameters() if p.requires_grad], betas=(0.5, 0.99))
    parts = {"generator": generator, "average": average, "optimizer": optimizer}
    training = Training(work / "generator.pt", parts, minutes=minutes, learning_rate=4e-3)
    progress = Progress("generator")
    for step in training.steps():
        rows = batches(len(portraits.latents), batch, step=step.number, seed=1)
        target = portraits.batch(rows)
        size = picture_size(generator, step.share)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=step.share < BFLOAT16_UNTIL):
            codes = mixed_codes(generator, portraits.latents[rows])
            images = generator.synthesize(codes, resolution=size)
        loss = pyramid_loss(generated=images.float(), target=resize(target, size)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        optimizer.step()
        average.update(step.number)
        if progress.due():
            figure = held_out_loss(average.average, test, size)
            progress.say(f"step {step.number}, {size} px, loss {float(loss.detach()):.4f}, held out {figure:.4f}")
    finished = average.average
    finished.w_mean.copy_(mean_w(finished))
    _write_sheet(finished, test, work / "generator.png")
    return finished.eval()


def mixed_codes(generator: Generator, z: Tensor) -> Tensor:
    """W+ codes [N, L, D] of z [N, P]; in a MIXED_SHARE of the rows each band is told its own latents only."""
    mixed = torch.rand(len(z), 1) < MIXED_SHARE
    w = {band: generator.map(_told(z, band, mixed)) for band in BANDS}
    return torch.cat([w[band][:, None].expand(-1, count, -1) for band, count in layer_counts(generator)], dim=1)


def picture_size(generator: Generator, share: float) -> int:
    """Side of the pictures learnt after `share` of the budget."""
    return generator.config.resolution // (4 if share < QUARTER_UNTIL else 2 if share < HALF_UNTIL else 1)


def layer_counts(generator: Generator) -> list[tuple[str, int]]:
    """How many W+ layers each band has, for this generator's resolution."""
    layers = generator.num_layers
    return [(band, max(min(last, layers) - first, 0)) for band, (first, last) in BANDS.items()]


@torch.no_grad()
def held_out_loss(generator: Generator, test: Cached, size: int, count: int = 64) -> float:
    """Mean pyramid loss on people never trained on."""
    rows = torch.arange(0, len(test.latents), max(len(test.latents) // count, 1))
    images = generator.synthesize(generator.broadcast(generator.map(test.latents[rows])), resolution=size)
    return float(pyramid_loss(generated=images, target=resize(test.batch(rows), size)).mean())


@torch.no_grad()
def mean_w(generator: Generator, count: int = 20_000) -> Tensor:
    """The mean of w over z [D], the centre of the truncation trick."""
    z = torch.randn(count, generator.config.z_dim, generator=torch.Generator().manual_seed(0))
    return generator.map(z).mean(dim=0)


def _told(z: Tensor, band: str, mixed: Tensor) -> Tensor:
    others = torch.randn_like(z)
    told = band_mask(band)  # type: ignore[arg-type]
    return torch.where(mixed & ~told, others, z)


@torch.no_grad()
def _write_sheet(generator: Generator, test: Cached, path: Path, count: int = 12) -> None:
    rows = torch.arange(0, len(test.latents), max(len(test.latents) // count, 1))[:count]
    codes = generator.broadcast(generator.map(test.latents[rows]))
    swapped = codes.clone()
    first, last = BANDS["middle"]
    swapped[:, first:last] = codes.roll(1, dims=0)[:, first:last]
    z = torch.randn(count, generator.config.z_dim, generator=torch.Generator().manual_seed(7))
    drawn = generator.truncate(generator.map(z), 0.7)
    lines = [test.batch(rows), generator.synthesize(codes), generator.synthesize(swapped)]
    write_sheet(path, [*lines, generator.synthesize(generator.broadcast(drawn))])
