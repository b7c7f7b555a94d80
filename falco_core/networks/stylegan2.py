"""StyleGAN2's generator (Karras et al., CVPR 2020; configuration F: skip architecture, weight demodulation).

Shape letters: N images, C channels, H and W pixels, L layers, D width of W.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.config import GeneratorConfig
from falco_core.networks.still import SLOPE, convolved, still_layer

SQRT2 = math.sqrt(2.0)
FIR = (1.0, 3.0, 3.0, 1.0)


class Dense(nn.Module):
    """Linear layer with the equalized learning rate of StyleGAN: weights are scaled when used."""

    def __init__(self, inputs: int, outputs: int, *, lr_multiplier: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr_multiplier))
        self._weight_scale = lr_multiplier / math.sqrt(inputs)
        self._bias_scale = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] -> [N, outputs]."""
        return functional.linear(x, self.weight * self._weight_scale, self.bias * self._bias_scale)


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by a style, output normalized by the scaled weight's length.

    For several images the activations are scaled on both sides of one shared weight, which equals a scaled weight for
    each (Karras et al., eq. 1 and 3) and is several times faster on a CPU than a convolution with one group per image.
    For one image whose style stays, its weight is scaled, and the activations, of which large images have more than
    weights, need not be.
    """

    def __init__(self, inputs: int, outputs: int, w_dim: int, *, up: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.style = Dense(w_dim, inputs, bias=1.0)
        self._scale = 1.0 / math.sqrt(inputs * 3 * 3)
        self._up = up
        self.register_buffer("_fir", fir_kernel(), persistent=False)
        self._fir: Tensor

    @property
    def fir(self) -> Tensor | None:
        """The filter of a layer that doubles its input."""
        return self._fir if self._up else None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x [N, C, H, W], style [N, C] -> [N, C', H, W], twice as large if `up`; times SQRT2."""
        weight = self.weight * self._scale
        x = convolved(x * style[:, :, None, None].to(x.dtype), weight.to(x.dtype), self.fir)
        return x * self._after(weight, style)[:, :, None, None].to(x.dtype)

    def weight_of(self, style: Tensor) -> Tensor:
        """style [1, C] of one image -> the weight [C', C, 3, 3] that convolves like `forward`."""
        weight = self.weight * self._scale
        return weight * (self._after(weight, style).T * style)[:, :, None, None]

    def _after(self, weight: Tensor, style: Tensor) -> Tensor:
        return torch.rsqrt(functional.linear(style.square(), weight.square().sum(dim=(2, 3))) + 1e-8) * SQRT2


class StyledLayer(nn.Module):
    """Modulated convolution, fixed noise, bias, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, resolution: int, *, up: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, w_dim, up=up)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(1, 1, resolution, resolution))
        self.noise: Tensor

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x [N, C, H, W], style [N, C] -> [N, C', H', W']."""
        # SQRT2 times the leaky ReLU of x is that of SQRT2 x: the factor goes where it costs nothing.
        noise = (self.noise * (self.noise_strength * SQRT2)).to(x.dtype)
        bias = (self.bias * SQRT2)[:, None, None].to(x.dtype)
        if len(x) == 1 and not (style.requires_grad or self.conv.weight.requires_grad):
            return still_layer(x, self.conv.weight_of(style).to(x.dtype), self.conv.fir, noise, bias)
        x = self.conv(x, style)
        x += noise
        x += bias
        return functional.leaky_relu_(x, SLOPE)


class Projection(nn.Module):
    """Every pixel's features to red, green and blue, scaled by a style."""

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1))
        self.style = Dense(w_dim, inputs, bias=1.0)
        self._scale = 1.0 / math.sqrt(inputs)

    def forward(self, x: Tensor, style: Tensor, bias: Tensor) -> Tensor:
        """x [N, C, H, W], style [N, C], bias [3] -> [N, 3, H, W].

        A product of matrices: convolutions of few channels in channels-last order are many times slower on a CPU.
        """
        weight = (self.weight[:, :, 0, 0] * self._scale * style[:, None]).transpose(1, 2)  # [N, C, 3]
        pixels = x.movedim(1, 3).flatten(1, 2)  # [N, H * W, C]
        rgb: Tensor = torch.baddbmm(bias.to(x.dtype), pixels, weight.to(x.dtype)).to(bias.dtype)
        return rgb.reshape(-1, *x.shape[2:], 3).movedim(3, 1)


class ToRGB(nn.Module):
    """Features to an RGB image that is added to the upsampled image of the resolution before."""

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.conv = Projection(inputs, w_dim)
        self.bias = nn.Parameter(torch.zeros(3))
        self.register_buffer("_fir", fir_kernel(), persistent=False)
        self._fir: Tensor

    def forward(self, x: Tensor, style: Tensor, image: Tensor | None) -> Tensor:
        """x [N, C, H, W], style [N, C], image [N, 3, H/2, W/2] or None -> [N, 3, H, W]."""
        rgb: Tensor = self.conv(x, style, self.bias)
        return rgb if image is None else rgb + upsample(image, self._fir)


@dataclass(frozen=True)
class StyleCode:
    """A point of S, the space of styles: one vector [N, C] per convolution, C being that layer's input channels."""

    layers: tuple[Tensor, ...]
    to_rgb: tuple[Tensor, ...]

    def taken(self, first: int, last: int) -> list[Tensor]:
        """The styles that are made of W+ layers [first, last)."""
        return [*self.layers[first:last], *self.to_rgb[first // 2 : last // 2]]

    def replaced(self, first: int, last: int, parts: Sequence[Tensor]) -> "StyleCode":
        """The same with others in the place of those that `taken` gives."""
        layers, to_rgb = list(self.layers), list(self.to_rgb)
        count = len(layers[first:last])
        layers[first:last], to_rgb[first // 2 : last // 2] = parts[:count], parts[count:]
        return StyleCode(tuple(layers), tuple(to_rgb))

    def flat(self) -> Tensor:
        """All styles, one after the other [N, S]."""
        return torch.cat([*self.layers, *self.to_rgb], dim=1)


class Generator(nn.Module):
    """z -> w -> W+ code -> style code -> image; every one of these spaces can be the start."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.num_layers = config.num_layers
        widths = [config.z_dim] + [config.w_dim] * config.mapping_layers
        self.mapping = nn.ModuleList(
            Dense(inputs, outputs, lr_multiplier=config.mapping_lr_multiplier) for inputs, outputs in pairwise(widths)
        )
        self.register_buffer("w_mean", torch.zeros(config.w_dim))
        self.w_mean: Tensor
        self.const = nn.Parameter(torch.randn(1, config.channels(4), 4, 4))
        self.layers = nn.ModuleList()
        self.to_rgb = nn.ModuleList()
        for resolution in resolutions(config.resolution):
            channels = config.channels(resolution)
            if resolution > 4:
                before = config.channels(resolution // 2)
                self.layers.append(StyledLayer(before, channels, config.w_dim, resolution, up=True))
            self.layers.append(StyledLayer(channels, channels, config.w_dim, resolution, up=False))
            self.to_rgb.append(ToRGB(channels, config.w_dim))

    def map(self, z: Tensor) -> Tensor:
        """z [N, z_dim], standard normal -> w [N, D]."""
        if self.config.normalize_z:
            z = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for dense in self.mapping:
            z = functional.leaky_relu(dense(z), 0.2) * SQRT2
        return z

    def truncate(self, w: Tensor, psi: float) -> Tensor:
        """w [..., D] drawn towards the mean: w_mean + psi (w - w_mean)."""
        return self.w_mean + psi * (w - self.w_mean)

    def broadcast(self, w: Tensor) -> Tensor:
        """w [N, D] -> W+ codes [N, L, D], the same in all layers."""
        return w[:, None].expand(-1, self.num_layers, -1)

    def styles(self, codes: Tensor, *, resolution: int | None = None) -> StyleCode:
        """W+ codes [N, L, D] -> the style code of the layers up to `resolution` (all of them by default)."""
        count = len(resolutions(resolution or self.config.resolution))
        layers = tuple(_style(layer, codes[:, i]) for i, layer in enumerate(self.layers[: 2 * count - 1]))
        # An image is read with the w of the layer that follows it (as in the published networks).
        to_rgb = tuple(_style(layer, codes[:, 2 * i + 1]) for i, layer in enumerate(self.to_rgb[:count]))
        return StyleCode(layers, to_rgb)

    def moved(self, styles: StyleCode, middle: Tensor, first: int) -> StyleCode:
        """The style code with those styles made anew that depend on W+ layers `first` and so on, now `middle`
        [N, M, D]; only they ask for gradients.
        """
        layers, to_rgb = list(styles.layers), list(styles.to_rgb)
        for number, w in enumerate(middle.unbind(1), start=first):
            if number < len(layers):
                layers[number] = _style(self.layers[number], w)
            if number % 2 == 1:
                to_rgb[number // 2] = _style(self.to_rgb[number // 2], w)
        return StyleCode(tuple(layers), tuple(to_rgb))

    def draw(self, codes: Tensor) -> Tensor:
        """W+ codes [N, L, D] or flat style codes [N, S] -> images [N, 3, R, R]."""
        if codes.ndim == 3:
            return self.synthesize(codes)
        sizes = [layer.conv.style.weight.shape[0] for layer in (*self.layers, *self.to_rgb)]
        parts = codes.split(sizes, dim=1)
        return self.synthesize_styles(StyleCode(parts[: len(self.layers)], parts[len(self.layers) :]))

    def synthesize(self, codes: Tensor, *, resolution: int | None = None) -> Tensor:
        """W+ codes [N, L, D] -> images [N, 3, R, R], about [-1, 1] but not clamped.

        `resolution` stops earlier, at the image of that lower resolution; layers beyond it are not looked at.
        """
        return self.synthesize_styles(self.styles(codes, resolution=resolution))

    def synthesize_styles(self, styles: StyleCode) -> Tensor:
        """A style code -> images [N, 3, R, R], R by how many layers the code has styles for."""
        # In channels-last order everything that follows is 1.2 to 1.7 times faster on a CPU.
        x = self.const.expand(len(styles.layers[0]), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.layers[0](x, styles.layers[0])
        image: Tensor = self.to_rgb[0](x, styles.to_rgb[0], None)
        for number, style in enumerate(styles.to_rgb[1:], start=1):
            for layer in (2 * number - 1, 2 * number):
                x = self.layers[layer](x, styles.layers[layer])
            image = self.to_rgb[number](x, style, image)
        return image

    def forward(self, z: Tensor) -> Tensor:
        """z [N, z_dim] -> images, without truncation."""
        return self.synthesize(self.broadcast(self.map(z)))


def _style(layer: Any, w: Tensor) -> Tensor:
    """w [N, D] -> the style [N, C] of a StyledLayer or ToRGB."""
    style: Tensor = layer.conv.style(w)
    return style


def resolutions(last: int) -> list[int]:
    """4, 8, ... last."""
    return [2**power for power in range(2, int(math.log2(last)) + 1)]


def fir_kernel() -> Tensor:
    """The 4 x 4 low-pass filter of upsampling by two [1, 1, 4, 4]; its sum is 4."""
    taps = torch.tensor(FIR)
    kernel = torch.outer(taps, taps)
    return (kernel / kernel.sum() * 4.0)[None, None]


def upsample(image: Tensor, kernel: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, 2H, 2W] through the low-pass filter."""
    channels = image.shape[1]
    weight = kernel.to(image.dtype).expand(channels, -1, -1, -1)
    return functional.conv_transpose2d(image, weight, stride=2, padding=1, groups=channels)
