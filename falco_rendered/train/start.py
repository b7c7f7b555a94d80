"""The start's recipe: the solver's own objective, on fakes alone.

Each step draws new fakes, takes them for originals (their crops, and the codes that the encoder gives back), pairs them
with fakes of a pool, and lets the start lower the objective of what the generator makes of its layers. Of real or
rendered people nothing is seen. It needs a whole bundle and no rendered pictures, so any bundle can get one.
"""

from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from falco_core.anonymize.losses import attribute_preservation_loss, identity_obfuscation_loss
from falco_core.bundles.bundle import Bundle
from falco_core.bundles.spec import BundleSpec
from falco_core.faces.mask import OUTSIDE, aligned_weights
from falco_core.networks.config import StartConfig
from falco_core.networks.start import Start
from falco_core.project.params import AnonymizeParams
from falco_rendered.train.encoder import w_spread
from falco_rendered.train.progress import Progress
from falco_rendered.train.schedule import Training

STEPS_FROM_START = 8
"""That the solver needs from there (docs/performance.md)."""
POOL, NEAREST = 2048, 8
"""Fakes to be paired with, and how many of the nearest may be a face's: later attempts take others than the first."""
TRUNCATION = 0.7
"""Of the pool's."""
SPREADS = (0.6, 1.1)
"""Truncations of the fakes that are taken for originals."""
CROP_ALONE = 0.25
"""Share of the steps whose objective looks at the crop alone, and not at the composite."""
MARGINS = (-0.6, 0.1)


def start_config(bundle: Bundle) -> StartConfig:
    """The sizes that a bundle needs."""
    first, last = bundle.spec.optimize_layers
    return StartConfig(
        num_layers=bundle.spec.num_layers,
        moved=last - first,
        w_dim=bundle.generator.config.w_dim,
        identity=bundle.recogniser.config.embedding,
    )


def train_start(bundle: Bundle, work: Path, *, minutes: float, batch: int = 8) -> Start:
    """Train for `minutes` against a bundle's frozen networks."""
    torch.manual_seed(7)
    start = Start(start_config(bundle)).to(bundle.device)
    start.mean.copy_(bundle.generator.w_mean)
    start.spread.copy_(w_spread(bundle.generator))
    optimizer = torch.optim.AdamW(start.parameters(), weight_decay=1e-3)
    parts = {"start": start, "optimizer": optimizer}
    training = Training(
        work / _checkpoint(bundle.spec), parts, minutes=minutes, learning_rate=7e-4, device=bundle.device.type
    )
    progress, fakes = Progress("start"), _Fakes(bundle)
    average = 0.0
    for step in training.steps():
        loss = _objective(bundle, start, *fakes.draw(batch))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(start.parameters(), 1.0)
        optimizer.step()
        average += (float(loss.detach()) - average) / min(step.number + 1, 100)
        progress.say(f"step {step.number}, objective {average:.3f}")
    return start.eval().requires_grad_(False)


def _checkpoint(spec: BundleSpec) -> str:
    """The file of a training against these networks: others begin anew."""
    networks = spec.networks.present()
    digests = "".join(networks[name].sha256 for name in ("generator", "encoder", "recogniser", "farl"))
    return f"start-{sha256(digests.encode()).hexdigest()[:12]}.pt"


class _Fakes:
    """Fakes that are taken for originals, and the pool that they are paired with."""

    @torch.no_grad()
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        generator = bundle.generator
        z = torch.randn(POOL, generator.config.z_dim, generator=torch.Generator().manual_seed(8))
        self._pool = generator.truncate(generator.map(z.to(bundle.device)), TRUNCATION)
        features = [bundle.farl.embed(self._drawn(part)) for part in self._pool.split(16)]
        self._features = functional.normalize(torch.cat(features), dim=1)

    @torch.no_grad()
    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Crops [N, 3, R, R], their codes [N, L, D], and each one's fake's middle layers [N, M, D]."""
        bundle, (first, last) = self._bundle, self._bundle.spec.optimize_layers
        w = bundle.generator.map(torch.randn(count, bundle.generator.config.z_dim, device=bundle.device))
        psi = SPREADS[0] + (SPREADS[1] - SPREADS[0]) * torch.rand(count, 1, device=bundle.device)
        crops = self._drawn(bundle.generator.w_mean + psi * (w - bundle.generator.w_mean))
        near = (functional.normalize(bundle.farl.embed(crops), dim=1) @ self._features.T).topk(NEAREST, dim=1).indices
        chosen = near.gather(1, torch.randint(NEAREST, (count, 1), device=bundle.device))[:, 0]
        return crops, bundle.encoder(crops), self._pool[chosen][:, None].expand(-1, last - first, -1)

    def _drawn(self, w: Tensor) -> Tensor:
        generator = self._bundle.generator
        return generator.synthesize(generator.broadcast(w)).clamp(-1.0, 1.0)


def _objective(bundle: Bundle, start: Start, crops: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """What the solver minimizes, after the start; its default weights, a margin drawn for each face."""
    defaults = AnonymizeParams()
    drawn = MARGINS[0] + (MARGINS[1] - MARGINS[0]) * torch.rand(len(crops), device=crops.device)
    margin = torch.where(torch.rand(len(crops), device=crops.device) < 0.5, defaults.margin, drawn)
    with torch.no_grad():
        identity, tokens = bundle.recogniser(crops), bundle.farl.tokens(crops)
        styles = bundle.generator.styles(real)
    middle = start(real=real, fake=fake, identity=identity, margin=margin)
    images = bundle.generator.synthesize_styles(bundle.generator.moved(styles, middle, bundle.spec.optimize_layers[0]))
    mask = (aligned_weights(crops.shape[-1]).to(crops) - OUTSIDE) / (1.0 - OUTSIDE)
    seen = images if float(torch.rand(())) < CROP_ALONE else crops + mask * (images - crops)
    away = identity_obfuscation_loss(generated=bundle.recogniser(seen), original=identity, margin=margin)
    alike = attribute_preservation_loss(generated=bundle.farl.tokens(seen), original=tokens)
    return (defaults.lambda_id * away + defaults.lambda_attr * alike).mean()
