"""e4e's encoder (Tov et al., SIGGRAPH 2021): one w for all layers plus a small difference per layer."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.config import EncoderConfig
from falco_core.networks.irse import body, input_layer
from falco_core.networks.resize import resize
from falco_core.networks.stylegan2 import Dense

# First W+ layers that look at the middle and at the fine feature maps (as published).
MIDDLE_FROM = 3
FINE_FROM = 7


class StyleBlock(nn.Module):
    """Feature maps halved down to one pixel, then to the width of W."""

    def __init__(self, channels: int, w_dim: int, spatial: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(int(math.log2(spatial))):
            layers += [nn.Conv2d(channels, channels, 3, 2, 1), nn.LeakyReLU()]
        self.convs = nn.Sequential(*layers)
        self.linear = Dense(channels, w_dim)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, spatial, spatial] -> [N, D]."""
        out: Tensor = self.linear(self.convs(x).flatten(1))
        return out


class Encoder(nn.Module):
    """Images to W+ codes."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        _, fine, middle, coarse = config.channels
        self.input_layer = input_layer(config.channels[0])
        self.body = body(config.channels, config.units)
        self.styles = nn.ModuleList(
            StyleBlock(coarse, config.w_dim, self._spatial(layer)) for layer in range(config.num_layers)
        )
        self.latlayer1 = nn.Conv2d(middle, coarse, 1)
        self.latlayer2 = nn.Conv2d(fine, coarse, 1)
        self.register_buffer("latent_avg", torch.zeros(config.num_layers, config.w_dim))
        self.latent_avg: Tensor
        ends = [sum(config.units[: group + 1]) - 1 for group in range(4)]
        self._fine_end, self._middle_end = ends[1], ends[2]

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> W+ codes [N, L, D]."""
        return self.offsets(images) + self.latent_avg

    def offsets(self, images: Tensor) -> Tensor:
        """W+ codes [N, L, D] relative to `latent_avg`; row 0 is the common part of all rows."""
        fine, middle, coarse = self._features(self.input_layer(resize(images, self.config.input_size)))
        middle = enlarge(coarse, middle.shape[-1]) + self.latlayer1(middle)
        fine = enlarge(middle, fine.shape[-1]) + self.latlayer2(fine)
        common = self.styles[0](coarse)
        rows = [common]
        for layer in range(1, self.config.num_layers):
            features = coarse if layer < MIDDLE_FROM else middle if layer < FINE_FROM else fine
            rows.append(common + self.styles[layer](features))
        return torch.stack(rows, dim=1)

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = middle = x
        for number, block in enumerate(self.body):
            x = block(x)
            if number == self._fine_end:
                fine = x
            elif number == self._middle_end:
                middle = x
        return fine, middle, x

    def _spatial(self, layer: int) -> int:
        return self.config.input_size // (16 if layer < MIDDLE_FROM else 8 if layer < FINE_FROM else 4)


def enlarge(x: Tensor, size: int) -> Tensor:
    """[N, C, H, W] -> [N, C, size, size], bilinear with aligned corners (as published)."""
    return functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=True)
