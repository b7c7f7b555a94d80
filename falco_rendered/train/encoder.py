"""The encoder: first the codes of known latents, then what the frozen generator makes of its codes."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from falco_core.faces.mask import aligned_weights
from falco_core.networks.arcface import Recogniser
from falco_core.networks.config import EncoderConfig
from falco_core.networks.e4e import Encoder
from falco_core.networks.stylegan2 import Generator
from falco_rendered.train.augment import cover, jitter_frame, jitter_sharpness, swap_surroundings
from falco_rendered.train.cache import Cached
from falco_rendered.train.losses import face_error, fine_share, pyramid_loss, sharpness_loss
from falco_rendered.train.progress import Progress
from falco_rendered.train.schedule import Training, batches
from falco_rendered.train.sheets import write_sheet

CODES_ONLY_UNTIL = 0.5
"""Share of the budget in which codes are compared with codes: several times cheaper than pictures with pictures."""
CODE_WEIGHT = 0.2
FRAME_JITTER = 0.6
"""Light and colour stay as they are: they are what the reconstruction has to hit."""
SWAPPED, COVERED = 0.5, 0.2
"""Shares of the pictures with other surroundings, and with something before the face: it is the face that counts."""
IDENTITY_WEIGHT = 0.3
SHARPNESS_WEIGHT = 0.1
"""Without it the encoder ends at codes that the generator draws softly, with a quarter of the fine energy."""
DELTA_WEIGHT = 0.02
"""Keeps the layers' differences small, so that codes stay where the generator knows its way (e4e, section 3.2)."""


def encoder_config(generator: Generator) -> EncoderConfig:
    """Sizes of the mini encoder."""
    return EncoderConfig(
        num_layers=generator.num_layers,
        w_dim=generator.config.w_dim,
        input_size=64,
        channels=(24, 40, 64, 96),
        units=(1, 2, 2, 2),
    )


def train_encoder(
    portraits: Cached,
    test: Cached,
    work: Path,
    generator: Generator,
    recogniser: Recogniser,
    *,
    minutes: float,
    config: EncoderConfig | None = None,
    batch: int = 16,
) -> Encoder:
    """Train for `minutes` against a frozen generator and recogniser."""
    torch.manual_seed(5)
    generator, recogniser = generator.eval().requires_grad_(False), recogniser.eval().requires_grad_(False)
    encoder: Encoder = Encoder(config or encoder_config(generator))
    device = portraits.device
    generator.to(device)
    recogniser.to(device)
    encoder.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    encoder.latent_avg.copy_(generator.w_mean.expand_as(encoder.latent_avg))
    spread = w_spread(generator)
    optimizer = torch.optim.AdamW(encoder.parameters(), betas=(0.9, 0.99), weight_decay=0.01)
    parts = {"encoder": encoder, "optimizer": optimizer}
    training = Training(work / "encoder.pt", parts, minutes=minutes, learning_rate=2e-3, device=device.type)
    progress = Progress("encoder")
    encoder.train()
    for step in training.steps():
        rows = batches(len(portraits.latents), batch, step=step.number, seed=5)
        target = portraits.batch(rows)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            seen = cover(swap_surroundings(target, share=SWAPPED), share=COVERED)
            codes = encoder(jitter_sharpness(jitter_frame(seen, amount=FRAME_JITTER))).float()
        with torch.no_grad():
            known = generator.broadcast(generator.map(portraits.latents[rows]))
        code_loss = functional.smooth_l1_loss((codes - known) / spread, torch.zeros_like(codes), beta=0.5)
        loss = code_loss + DELTA_WEIGHT * deltas(codes).square().mean() / spread.square().mean()
        if step.share >= CODES_ONLY_UNTIL:
            loss = CODE_WEIGHT * loss + picture_loss(generator, recogniser, codes, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        if progress.due():
            figures = reconstruction(encoder.eval(), generator, recogniser, test)
            encoder.train()
            progress.say(f"step {step.number}, codes {float(code_loss.detach()):.4f}, held out {figures}")
    encoder.eval()
    _write_sheet(encoder, generator, test, work / "encoder.png")
    return encoder


def picture_loss(generator: Generator, recogniser: Recogniser, codes: Tensor, target: Tensor) -> Tensor:
    """Pyramid, sharpness and identity loss of the reconstructions, a scalar; the identity is that of the composite."""
    with torch.autocast(codes.device.type, dtype=torch.bfloat16):
        images = generator.synthesize(codes).float()
    composite = target + aligned_weights(target.shape[-1]).to(target) * (images - target)
    identity = (recogniser(composite) * recogniser(target)).sum(dim=1)
    pixels = pyramid_loss(generated=images, target=target)
    sharpness = sharpness_loss(generated=images, target=target)
    loss: Tensor = pixels + SHARPNESS_WEIGHT * sharpness + IDENTITY_WEIGHT * (1.0 - identity)
    return loss.mean()


def deltas(codes: Tensor) -> Tensor:
    """What the layers of W+ codes [N, L, D] have beyond their first: [N, L - 1, D]."""
    return codes[:, 1:] - codes[:, :1]


@torch.no_grad()
def w_spread(generator: Generator, count: int = 10_000) -> Tensor:
    """Standard deviation of w over z [D]; 1 for entries that never change."""
    z = torch.randn(count, generator.config.z_dim, generator=torch.Generator().manual_seed(0))
    spread = generator.map(z.to(generator.w_mean.device)).std(dim=0)
    return torch.where(spread > 1e-3, spread, 1.0)


@torch.no_grad()
def reconstruction(
    encoder: Encoder, generator: Generator, recogniser: Recogniser, test: Cached, count: int = 64
) -> str:
    """Pyramid loss and recogniser cosine of reconstructions of people never trained on."""
    rows = torch.arange(0, len(test.latents), max(len(test.latents) // count, 1))
    target = test.batch(rows)
    images = generator.synthesize(encoder(target))
    identity = (recogniser(images) * recogniser(target)).sum(dim=1).mean()
    error, share = face_error(images, target), fine_share(images, target)
    return f"face error {error:.4f}, fine energy {share:.2f}, identity {float(identity):.3f}"


@torch.no_grad()
def _write_sheet(encoder: Encoder, generator: Generator, test: Cached, path: Path, count: int = 12) -> None:
    rows = torch.arange(0, len(test.latents), max(len(test.latents) // count, 1))[:count]
    target = test.batch(rows)
    codes = encoder(target)
    mixed = codes.clone()
    mixed[:, 3:8] = codes.roll(1, dims=0)[:, 3:8]
    write_sheet(path, [target, generator.synthesize(codes), generator.synthesize(mixed)])
