"""A small critic of patches: what regression alone leaves soft, it asks to look like rendered patches.

Regression answers what it is not sure of with a mean, which is a blur; a critic does not take a blur. It sees
patches, not faces, for a CPU has no time for more, and beside each patch its coarse colours, so that sharp edges come
in the right colours.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from falco_core.faces.mask import aligned_weights

PATCH = 64
COARSENESS = 8
"""Pixels of the picture per pixel of what the critic is told of the colours."""


class PatchCritic(nn.Module):
    """Patches with their coarse colours to a map of verdicts (logits, above 0: rendered)."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = ((6, channels, 1), (channels, 2 * channels, 2), (2 * channels, 4 * channels, 2))
        layers: list[nn.Module] = []
        for inputs, outputs, stride in (*widths, (4 * channels, 4 * channels, 1)):
            layers += [spectral_norm(nn.Conv2d(inputs, outputs, 3, stride, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * channels, 1, 3, 1, 1))

    def forward(self, patches: Tensor, colours: Tensor) -> Tensor:
        """[N, 3, P, P], [N, 3, P, P] -> [N, 1, P / 4, P / 4]."""
        verdicts: Tensor = self.layers(torch.cat([patches, colours], dim=1))
        return verdicts


def same_patch(*pictures: Tensor) -> list[Tensor]:
    """The same random patch [N, 3, PATCH, PATCH] of each batch of pictures (whole pictures, if these are smaller)."""
    side = pictures[0].shape[-1]
    size = min(PATCH, side)
    top, left = torch.randint(0, side - size + 1, (2,)).tolist()
    return [picture[:, :, top : top + size, left : left + size] for picture in pictures]


def coarse_colours(images: Tensor) -> Tensor:
    """Images [N, 3, S, S] without anything finer than COARSENESS pixels, in the same size."""
    coarse = functional.avg_pool2d(images, COARSENESS)
    return functional.interpolate(coarse, size=images.shape[-2:], mode="bilinear", align_corners=False)


class Critic:
    """The patch critic with its optimizer: asked for the generator's loss, then taught on what it was asked about."""

    def __init__(self, device: torch.device, *, learning_rate: float) -> None:
        self.network = PatchCritic().to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=learning_rate, betas=(0.0, 0.99))
        self._asked: list[Tensor] = []

    def ask(self, images: Tensor, target: Tensor) -> Tensor:
        """The generator's non-saturating loss (Goodfellow et al., 2014) on a random patch's face part, a scalar."""
        weights = aligned_weights(images.shape[-1]).to(images).expand(len(images), -1, -1, -1)
        self._asked = same_patch(images, target, coarse_colours(target), weights)
        generated, _, colours, weights = self._asked
        self.network.requires_grad_(False)
        return _mean(functional.softplus(-self._judge(generated, colours)), weights)

    def learn(self) -> None:
        """One step on the patches of the last `ask`; nothing if there were none since the last step."""
        if not self._asked:
            return
        generated, rendered, colours, weights = self._asked
        self._asked = []
        self.network.requires_grad_(True)
        loss = _mean(functional.softplus(-self._judge(rendered, colours)), weights)
        loss = loss + _mean(functional.softplus(self._judge(generated.detach(), colours)), weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def _judge(self, patches: Tensor, colours: Tensor) -> Tensor:
        with torch.autocast(patches.device.type, dtype=torch.bfloat16):
            verdicts: Tensor = self.network(patches, colours)
        return verdicts.float()


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of a map [N, 1, h, w], weighted by a finer one [N, 1, P, P]."""
    weights = functional.adaptive_avg_pool2d(weights, values.shape[-1])
    return (values * weights).sum() / weights.sum()
