"""FaRL's recipe in small: a ViT and a text tower learn which caption belongs to which portrait.

The captions are written from the rendered attributes. A linear readout beside the contrast keeps every attribute, pose,
light and expression in the image features, also what a caption leaves out: with a few minutes of training and some
twenty thousand pictures, captions alone teach little. Only the image tower is shipped.
"""

from pathlib import Path

import torch
from open_clip import SimpleTokenizer
from open_clip.transformer import TextTransformer
from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.config import FarlConfig
from falco_core.networks.farl import Farl
from falco_rendered.parameters import ATTRIBUTES, LATENT_SIZE, attributes_of, captions_of
from falco_rendered.train.augment import jitter_frame, jitter_look
from falco_rendered.train.cache import Cached
from falco_rendered.train.mapping import seen_values
from falco_rendered.train.probe import balanced_accuracy, balanced_entropy
from falco_rendered.train.progress import Progress
from falco_rendered.train.schedule import Training, batches

CONTEXT = 40
TEMPERATURE = 0.07
READOUT_WEIGHT = 10.0
EXPRESSION = ("Smiling", "Mouth_Slightly_Open", "Eyes_Closed", "Eyeglasses")
EXPRESSION_WEIGHT = 3.0
"""How much more these count than hair or a hat: they are small, and what one looks at."""


def farl_config() -> FarlConfig:
    """Sizes of the mini image tower."""
    return FarlConfig(image_size=128, patch_size=16, width=192, layers=4, heads=6, embedding=128)


class Towers(nn.Module):
    """Image tower, text tower and attribute head."""

    share: Tensor
    emphasis: Tensor

    def __init__(self, config: FarlConfig, share: Tensor) -> None:
        """`share` [A]: of the pictures that have each attribute."""
        super().__init__()
        self.farl = Farl(config)
        self.tokenizer = SimpleTokenizer(context_length=CONTEXT)
        self.text = TextTransformer(
            context_length=CONTEXT,
            vocab_size=self.tokenizer.vocab_size,
            width=128,
            heads=4,
            layers=2,
            output_dim=config.embedding,
        )
        self.readout = nn.Linear(config.embedding, seen_values(torch.zeros(1, LATENT_SIZE)).shape[1])
        self.register_buffer("share", share)
        emphasis = torch.tensor([EXPRESSION_WEIGHT if name in EXPRESSION else 1.0 for name in ATTRIBUTES])
        self.register_buffer("emphasis", emphasis / emphasis.mean(), persistent=False)

    def losses(self, images: Tensor, captions: list[str], latents: Tensor) -> tuple[Tensor, Tensor]:
        """Contrast and readout loss, both scalars."""
        # bfloat16 is 1.6 times faster here on a CPU that has it; what is compared stays float32.
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            tokens = self.farl.tokens(images)
        embedding = self.farl.project(tokens.float())
        image = functional.normalize(embedding, dim=1)
        text = functional.normalize(self.text(self.tokenizer(captions).to(images.device)), dim=1)
        table = image @ text.T / TEMPERATURE
        labels = torch.arange(len(table), device=table.device)
        contrast = (functional.cross_entropy(table, labels) + functional.cross_entropy(table.T, labels)) / 2
        told, logits = self.readout(embedding).split([self.readout.out_features - len(ATTRIBUTES), len(ATTRIBUTES)], 1)
        wanted, shown = seen_values(latents)[:, : told.shape[1]], attributes_of(latents).float()
        entropy = balanced_entropy(logits, shown, share=self.share) * self.emphasis
        return contrast, functional.mse_loss(told, wanted) + entropy.mean()

    def attributes(self, images: Tensor) -> Tensor:
        """Which attributes the readout sees: [N, A] bool."""
        found: Tensor = self.readout(self.farl.project(self.farl.tokens(images)))[:, -len(ATTRIBUTES) :]
        return found > 0


def train_farl(
    portraits: Cached, test: Cached, work: Path, *, minutes: float, config: FarlConfig | None = None, batch: int = 32
) -> Farl:
    """Train for `minutes` and return the image tower."""
    torch.manual_seed(4)
    share = attributes_of(portraits.latents).float().mean(dim=0)
    towers = Towers(config or farl_config(), share).to(portraits.device)
    optimizer = torch.optim.AdamW(towers.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    parts = {"towers": towers, "optimizer": optimizer}
    training = Training(work / "farl.pt", parts, minutes=minutes, learning_rate=1e-3, device=portraits.device.type)
    progress = Progress("farl")
    towers.train()
    for step in training.steps():
        rows = batches(len(portraits.latents), batch, step=step.number, seed=4)
        latents = portraits.latents[rows]
        images = jitter_look(jitter_frame(portraits.batch(rows)))
        captions = captions_of(latents, seed=step.number)
        contrast, seen = towers.losses(images, captions, latents)
        optimizer.zero_grad(set_to_none=True)
        (contrast + READOUT_WEIGHT * seen).backward()
        torch.nn.utils.clip_grad_norm_(towers.parameters(), 1.0)
        optimizer.step()
        if progress.due():
            accuracy = attribute_accuracy(towers, test)
            expression = [float(accuracy[ATTRIBUTES.index(name)]) for name in EXPRESSION]
            progress.say(
                f"step {step.number}, contrast {float(contrast.detach()):.3f}, readout {float(seen.detach()):.3f}, "
                f"held-out balanced accuracy {float(accuracy.mean()):.3f}, of {', '.join(EXPRESSION)} "
                + " ".join(f"{value:.3f}" for value in expression)
            )
    return towers.farl.eval()


@torch.no_grad()
def attribute_accuracy(towers: Towers, test: Cached, count: int = 400) -> Tensor:
    """Per attribute, the balanced accuracy on people never trained on [A]."""
    towers.eval()
    rows = torch.arange(0, len(test.latents), max(len(test.latents) // count, 1))
    truth = attributes_of(test.latents[rows])
    found = torch.cat([towers.attributes(test.batch(part)) for part in rows.split(100)])
    towers.train()
    return balanced_accuracy(found, truth)
