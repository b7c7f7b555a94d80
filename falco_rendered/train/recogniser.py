"""The recogniser that is optimized against, and the held-out one that judges: ArcFace on rendered identities.

Beside ArcFace's loss a linear readout learns to tell the identity's parameters from the embedding: they are known
exactly, and on few people and few steps they say more about likeness than the number of a class does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.arcface import Recogniser
from falco_core.networks.config import HeldOutConfig, RecogniserConfig
from falco_core.networks.heldout import HeldOutRecogniser
from falco_rendered.train.augment import cover, jitter_frame, jitter_look, swap_surroundings
from falco_rendered.train.cache import Cached
from falco_rendered.train.mapping import identity_values
from falco_rendered.train.progress import Progress
from falco_rendered.train.schedule import Training, batches

SCALE = 24.0
ANGULAR_MARGIN = 0.3
MARGIN_FROM = 0.15
"""Share of the budget without a margin: on too few steps ArcFace's margin keeps a fresh network from starting."""

READOUT_WEIGHT = 10.0
"""Of the squared error with which the identity's parameters are read from embeddings, beside ArcFace's loss."""

SWAPPED, COVERED = 0.4, 0.1
"""Shares of the pictures that are composites, and that have something before the face."""

Network = TypeVar("Network", Recogniser, HeldOutRecogniser)


def recogniser_config() -> RecogniserConfig:
    """Sizes of the mini recogniser."""
    return RecogniserConfig(
        frame_size=128, input_size=64, channels=(16, 32, 64, 128), units=(1, 2, 2, 1), embedding=128
    )


def heldout_config() -> HeldOutConfig:
    """Architecture of the mini held-out recogniser."""
    return HeldOutConfig(architecture="resnet10t", frame_size=128, input_size=64, embedding=128)


class ArcFaceHead(nn.Module):
    """Class weights and the additive angular margin (Deng et al., ArcFace, CVPR 2019, eq. 3)."""

    def __init__(self, embedding: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, embedding) * 0.05)

    def forward(self, embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
        """Unit embeddings [N, E], labels [N] -> the loss (a scalar)."""
        cosines = functional.linear(embeddings, functional.normalize(self.weight, dim=1)).clamp(-0.9999, 0.9999)
        own = cosines.gather(1, labels[:, None])
        with_margin = own * math.cos(margin) - (1.0 - own.square()).sqrt() * math.sin(margin)
        return functional.cross_entropy(SCALE * cosines.scatter(1, labels[:, None], with_margin), labels)


@dataclass(frozen=True)
class Verification:
    """How well embeddings tell people apart."""

    accuracy: float
    accept_rate: float
    """Same-person pairs accepted at `threshold`."""
    threshold: float
    """Cosine that 1 % of the stranger pairs reach."""
    same: float
    """Mean cosine of pairs of one person."""


def train_recogniser(
    people: Cached,
    test: Cached,
    work: Path,
    *,
    minutes: float,
    config: RecogniserConfig | None = None,
    batch: int = 64,
) -> Recogniser:
    """Train the recogniser for `minutes`."""
    torch.manual_seed(2)
    network = Recogniser(config or recogniser_config())
    return _train(network, people, test, work / "recogniser.pt", minutes=minutes, batch=batch, seed=2)


def train_heldout(
    people: Cached,
    test: Cached,
    work: Path,
    *,
    minutes: float,
    config: HeldOutConfig | None = None,
    batch: int = 64,
) -> HeldOutRecogniser:
    """Train the held-out recogniser for `minutes`, on people the other has never seen."""
    torch.manual_seed(3)
    network = HeldOutRecogniser(config or heldout_config())
    return _train(network, people, test, work / "heldout.pt", minutes=minutes, batch=batch, seed=3)


def _train(
    network: Network, people: Cached, test: Cached, path: Path, *, minutes: float, batch: int, seed: int
) -> Network:
    head: ArcFaceHead = ArcFaceHead(network.config.embedding, int(people.identities.max()) + 1)
    known = identity_values(people.latents)
    readout: nn.Linear = nn.Linear(network.config.embedding, known.shape[1])
    for module in (network, head, readout):
        module.to(people.device)
    weights = [*network.parameters(), *head.parameters(), *readout.parameters()]
    optimizer = torch.optim.AdamW(weights, betas=(0.9, 0.99), weight_decay=0.02)
    parts = {"network": network, "head": head, "readout": readout, "optimizer": optimizer}
    training = Training(path, parts, minutes=minutes, learning_rate=2e-3, device=people.device.type)
    progress = Progress(path.stem)
    network.train()
    for step in training.steps():
        rows = batches(len(people.identities), batch, step=step.number, seed=seed)
        faces = cover(swap_surroundings(people.batch(rows), share=SWAPPED), share=COVERED)
        images = jitter_look(jitter_frame(faces))
        margin = 0.0 if step.share < MARGIN_FROM else ANGULAR_MARGIN
        embeddings = network(images)
        told: Tensor = readout(embeddings * math.sqrt(network.config.embedding))
        error = functional.mse_loss(told, known[rows])
        loss: Tensor = head(embeddings, people.identities[rows], margin) + READOUT_WEIGHT * error
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if progress.due():
            figures = verify(network.eval(), test)
            network.train()
            progress.say(
                f"step {step.number}, loss {float(loss.detach()):.3f}, readout {float(error.detach()):.3f}, "
                f"held out {figures.accuracy:.3f}, accepted {figures.accept_rate:.3f}"
            )
    return network.eval()


@torch.no_grad()
def verify(network: Callable[[Tensor], Tensor], test: Cached) -> Verification:
    """Verification over all pairs of `test`: those of one person, and those of strangers."""
    embeddings = embed_all(network, test)
    cosines = embeddings @ embeddings.T
    alike = test.identities[:, None] == test.identities[None, :]
    above = torch.ones_like(alike).triu(diagonal=1)
    own, strangers = cosines[alike & above], cosines[~alike & above].sort().values
    # Balanced accuracy is highest just at one of the own cosines.
    cuts = own.sort().values
    kept = 1.0 - torch.arange(len(cuts), device=cuts.device) / len(cuts)
    refused = torch.searchsorted(strangers, cuts) / len(strangers)
    threshold = float(strangers[math.ceil(0.99 * len(strangers)) - 1])
    accepted = float((own >= threshold).float().mean())
    return Verification(float((kept + refused).max() / 2), accepted, threshold, float(own.mean()))


@torch.no_grad()
def embed_all(network: Callable[[Tensor], Tensor], images: Cached, size: int = 64) -> Tensor:
    """Embeddings [N, E] of a whole set."""
    rows = torch.arange(len(images.latents))
    return torch.cat([network(images.batch(part)) for part in rows.split(size)])
