"""The attribute probe: rendered faces to the attributes they were drawn with."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from falco_core.networks.config import ProbeConfig
from falco_core.networks.probe import Probe
from falco_rendered.parameters import ATTRIBUTES, attributes_of
from falco_rendered.train.augment import jitter_frame, jitter_look
from falco_rendered.train.cache import Cached
from falco_rendered.train.progress import Progress
from falco_rendered.train.schedule import Training, batches


def probe_config() -> ProbeConfig:
    """Architecture of the mini probe."""
    return ProbeConfig(architecture="resnet10t", input_size=112, attributes=ATTRIBUTES)


def train_probe(
    portraits: Cached, test: Cached, work: Path, *, minutes: float, config: ProbeConfig | None = None, batch: int = 48
) -> Probe:
    """Train for `minutes` and return the probe."""
    torch.manual_seed(6)
    probe = Probe(config or probe_config()).to(portraits.device)
    truth = attributes_of(portraits.latents).float()
    share = truth.mean(dim=0)
    optimizer = torch.optim.AdamW(probe.parameters(), betas=(0.9, 0.99), weight_decay=0.05)
    parts = {"probe": probe, "optimizer": optimizer}
    training = Training(work / "probe.pt", parts, minutes=minutes, learning_rate=2e-3, device=portraits.device.type)
    progress = Progress("probe")
    probe.train()
    for step in training.steps():
        rows = batches(len(truth), batch, step=step.number, seed=6)
        logits = probe(jitter_look(jitter_frame(portraits.batch(rows), amount=0.5)))
        loss = balanced_entropy(logits, truth[rows], share=share).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if progress.due():
            mean = float(balanced_accuracy(found_in(probe, test), attributes_of(test.latents)).mean())
            progress.say(f"step {step.number}, loss {float(loss.detach()):.3f}, held-out balanced accuracy {mean:.3f}")
    return probe.eval()


def balanced_entropy(logits: Tensor, truth: Tensor, *, share: Tensor) -> Tensor:
    """Cross entropy [N, A] of logits and truth (0 or 1), both sides of an attribute with `share` [A] weighing as much.

    So a logit of 0 is the fair cut, and rare attributes are learnt as well as frequent ones.
    """
    share = share.clamp(0.01, 0.99)
    weights = truth * 0.5 / share + (1.0 - truth) * 0.5 / (1.0 - share)
    return functional.binary_cross_entropy_with_logits(logits, truth, weight=weights, reduction="none")


@torch.no_grad()
def found_in(probe: Probe, images: Cached, size: int = 100) -> Tensor:
    """What the probe sees in a whole set [N, A] bool."""
    was = probe.training
    probe.eval()
    rows = torch.arange(len(images.latents))
    found = torch.cat([probe.found(images.batch(part)) for part in rows.split(size)])
    probe.train(was)
    return found


def balanced_accuracy(found: Tensor, truth: Tensor) -> Tensor:
    """Per attribute, the mean of the shares of right answers with it and without it: two [N, A] bool -> [A]."""
    right_with = (found & truth).sum(0) / truth.sum(0).clamp(min=1)
    right_without = (~found & ~truth).sum(0) / (~truth).sum(0).clamp(min=1)
    return (right_with + right_without) / 2


def read_out(features: Tensor, truth: Tensor, asked: Tensor) -> Tensor:
    """What a ridge regression fitted to features [N, E] and their attributes [N, A] bool finds in others' [M, E]."""
    fitted, judged, wanted = _with_one(features), _with_one(asked), truth.float()
    share = wanted.mean(dim=0).clamp(0.01, 0.99)
    gram = fitted.T @ fitted + 1e-3 * len(fitted) * torch.eye(fitted.shape[1]) / fitted.shape[1]
    weights = torch.linalg.solve(gram, fitted.T @ (wanted - share))
    # Between the two classes' mean answers, so that rare attributes are not drowned.
    answers = fitted @ weights
    cut = (_mean_where(answers, wanted) + _mean_where(answers, 1.0 - wanted)) / 2
    found: Tensor = judged @ weights > cut
    return found


def _with_one(features: Tensor) -> Tensor:
    return torch.cat([features, torch.ones(len(features), 1)], dim=1)


def _mean_where(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum(0) / weights.sum(0).clamp(min=1.0)
