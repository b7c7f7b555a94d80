"""The IR-SE residual body (Deng et al., ArcFace, CVPR 2019) that recogniser and e4e encoder share.

Module names are those of the published checkpoints, so that their keys need no renaming.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Channels weighted by a small network of their means."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        hidden = max(channels // reduction, 1)
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        weights: Tensor = self.sigmoid(self.fc2(self.relu(self.fc1(self.avg_pool(x)))))
        return x * weights


class Bottleneck(nn.Module):
    """Improved residual unit with squeeze and excitation."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if inputs == outputs:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            SqueezeExcite(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C', H / stride, W / stride]."""
        out: Tensor = self.shortcut_layer(x) + self.res_layer(x)
        return out


def input_layer(channels: int) -> nn.Sequential:
    """RGB to the first feature maps, at full resolution."""
    return nn.Sequential(nn.Conv2d(3, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.PReLU(channels))


def body(channels: Sequence[int], units: Sequence[int]) -> nn.Sequential:
    """Four groups of units, each halving the resolution once; channels[i] and units[i] belong to group i."""
    blocks: list[Bottleneck] = []
    for (inputs, outputs), count in zip(pairwise([channels[0], *channels]), units, strict=True):
        blocks.append(Bottleneck(inputs, outputs, 2))
        blocks += [Bottleneck(outputs, outputs, 1) for _ in range(count - 1)]
    return nn.Sequential(*blocks)
