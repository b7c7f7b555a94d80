"""The generator, by regression: z holds the renderer's latents, the target is their rendering."""

from pathlib import Path
from typing import Any

import torch

from falco_core.networks.config import GeneratorConfig
from falco_core.networks.resize import resize
from falco_core.networks.stylegan2 import Generator
from falco_rendered.parameters import LATENT_SIZE
from falco_rendered.train.cache import Cached
from falco_rendered.train.losses import face_error, fine_share, pyramid_loss
from falco_rendered.train.mapping import MIDDLE_LAYERS, W_DIM, enumerate_styles, hold_bands, write_mapping
from falco_rendered.train.patches import Critic
from falco_rendered.train.progress import Progress
from falco_rendered.train.schedule import MovingAverage, Training, batches
from falco_rendered.train.sheets import write_sheet

STYLE_SPEED = 3.0
"""Learning rate of the styles' weights: they are scaled for 192 entries of w but heed about 50."""
QUARTER_UNTIL, HALF_UNTIL = 0.08, 0.50
"""Shares of the budget up to which pictures of a quarter and of half the resolution are learnt."""
BFLOAT16_UNTIL = 0.97
"""Share of the budget computed in bfloat16 (1.3 to 1.7 times faster on a CPU that has it); the rest polishes."""
CRITIC_FROM = 0.55
"""Share of the budget from which a critic of patches asks for sharpness; before it, there is nothing to sharpen."""
CRITIC_WEIGHT = 0.8
CRITIC_LEARNING_RATE = 2e-3


def generator_config(size: int = 128) -> GeneratorConfig:
    """Sizes of the mini generator."""
    return GeneratorConfig(
        resolution=size,
        z_dim=LATENT_SIZE,
        w_dim=W_DIM,
        mapping_layers=3,
        mapping_lr_multiplier=1.0,
        normalize_z=False,
        channel_base=3072,
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
    device = portraits.device
    generator = _untrained(config or generator_config(), device)
    average = MovingAverage(generator, _twin(generator), decay=0.998)
    optimizer = _optimizer(generator)
    critic = Critic(device, learning_rate=CRITIC_LEARNING_RATE)
    parts = {"generator": generator, "average": average, "optimizer": optimizer}
    parts |= {"critic": critic.network, "critic_optimizer": critic.optimizer}
    training = Training(work / "generator.pt", parts, minutes=minutes, learning_rate=4e-3, device=device.type)
    progress = Progress("generator")
    for step in training.steps():
        rows = batches(len(portraits.latents), batch, step=step.number, seed=1)
        target = portraits.batch(rows)
        size = picture_size(generator, step.share)
        codes = generator.broadcast(generator.map(portraits.latents[rows]))
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=step.share < BFLOAT16_UNTIL):
            images = generator.synthesize(codes, resolution=size).float()
        loss = total = pyramid_loss(generated=images, target=resize(target, size)).mean()
        if step.share >= CRITIC_FROM:
            total = loss + CRITIC_WEIGHT * critic.ask(images, target)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        optimizer.step()
        average.update(step.number)
        critic.learn()
        if progress.due():
            figures = held_out(average.average, test, size)
            progress.say(f"step {step.number}, {size} px, loss {float(loss.detach()):.4f}, held out {figures}")
    finished = average.average
    _write_sheet(finished, test, work / "generator.png")
    return finished.eval()


def _untrained(config: GeneratorConfig, device: torch.device) -> Generator:
    generator = Generator(config)
    # The targets have no noise, so the noise inputs stay as they start: off.
    for layer in generator.layers:
        layer.noise_strength.requires_grad_(False)
    write_mapping(generator)
    generator.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator.mapping.requires_grad_(False)
    hold_bands(generator)
    return generator


def _optimizer(generator: Generator) -> torch.optim.Optimizer:
    styles = [style.weight for _, style in enumerate_styles(generator)]
    others = [p for p in generator.parameters() if p.requires_grad and all(p is not style for style in styles)]
    groups: list[dict[str, Any]] = [{"params": others}, {"params": styles, "speed": STYLE_SPEED}]
    return torch.optim.Adam(groups, betas=(0.5, 0.99))


def picture_size(generator: Generator, share: float) -> int:
    """Side of the pictures learnt after `share` of the budget."""
    return generator.config.resolution // (4 if share < QUARTER_UNTIL else 2 if share < HALF_UNTIL else 1)


@torch.no_grad()
def held_out(generator: Generator, test: Cached, size: int, count: int = 64) -> str:
    """Error and fine energy of the face on people never trained on, at pictures of `size`."""
    rows = torch.arange(0, len(test.latents), max(len(test.latents) // count, 1))
    images = generator.synthesize(generator.broadcast(generator.map(test.latents[rows])), resolution=size)
    target = resize(test.batch(rows), size)
    return f"face error {face_error(images, target):.4f}, fine energy {fine_share(images, target):.2f}"


def _twin(generator: Generator) -> Generator:
    twin = Generator(generator.config).to(generator.const.device)
    twin.load_state_dict(generator.state_dict())
    return twin


@torch.no_grad()
def _write_sheet(generator: Generator, test: Cached, path: Path, count: int = 12) -> None:
    rows = torch.arange(0, len(test.latents), max(len(test.latents) // count, 1))[:count]
    codes = generator.broadcast(generator.map(test.latents[rows]))
    swapped = codes.clone()
    first, last = MIDDLE_LAYERS
    swapped[:, first:last] = codes.roll(1, dims=0)[:, first:last]
    z = torch.randn(count, generator.config.z_dim, generator=torch.Generator().manual_seed(7)).to(codes.device)
    drawn = generator.truncate(generator.map(z), 0.7)
    lines = [test.batch(rows), generator.synthesize(codes), generator.synthesize(swapped)]
    write_sheet(path, [*lines, generator.synthesize(generator.broadcast(drawn))])
