"""A styled layer of one image whose style stays: nothing but its input may ask for a gradient.

Autograd would keep what goes into every operation, hundreds of megabytes for a large image. Here a byte per value is
kept, and the way back is made of ordinary convolutions. Those of channels in sixteens, as all published generators
have, come out the same to the bit with any number of threads (tests/falco_core/networks/test_still.py), so a face that
is computed alone has all of them.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from falco_core.parallel import all_threads

SLOPE = 0.2
"""Of the leaky ReLU."""
BLOCK = 16
"""Channels that oneDNN takes at a time: it divides other numbers of them by threads, and sums them in another order."""


def still_layer(x: Tensor, weight: Tensor, fir: Tensor | None, noise: Tensor, bias: Tensor) -> Tensor:
    """x [1, C, H, W], weight [C', C, 3, 3] -> [1, C', H', W']: convolution, doubling if there is a symmetric filter
    fir [1, 1, 4, 4], noise [1, 1, H', W'] and bias [C', 1, 1] added, leaky ReLU. Only x gets a gradient.
    """
    y: Tensor = _StillLayer.apply(x, weight, fir, noise, bias)  # type: ignore[no-untyped-call]
    return y


class _StillLayer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, fir: Tensor | None, noise: Tensor, bias: Tensor) -> Tensor:
        with _threads_for(weight):
            y = convolved(x, weight, fir)
            y += noise
            y += bias
            ctx.save_for_backward(weight, fir, y > 0)
            return functional.leaky_relu_(y, SLOPE)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, fir, positive = ctx.saved_tensors
        with _threads_for(weight):
            gradient = torch.where(positive, gradients[0], gradients[0] * SLOPE)
            if fir is None:
                back = functional.conv2d(gradient, weight.flip(2, 3).transpose(0, 1), padding=1)
            else:
                back = functional.conv2d(depthwise(gradient, fir, padding=2), weight.transpose(0, 1), stride=2)
        return back, None, None, None, None


def _threads_for(weight: Tensor) -> AbstractContextManager[None]:
    """All where their number changes no bit, else the one."""
    return nullcontext() if weight.shape[0] % BLOCK or weight.shape[1] % BLOCK else all_threads()


def convolved(x: Tensor, weight: Tensor, fir: Tensor | None) -> Tensor:
    """x [N, C, H, W], weight [C', C, 3, 3] -> [N, C', H, W]; with a filter twice as large, and smoothed by it."""
    if fir is None:
        return functional.conv2d(x, weight, padding=1)
    return depthwise(functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2), fir, padding=1)


def depthwise(x: Tensor, kernel: Tensor, *, padding: int = 0) -> Tensor:
    """Every channel of x [N, C, H, W] filtered by kernel [1, 1, h, w]."""
    channels = x.shape[1]
    return functional.conv2d(x, kernel.to(x.dtype).expand(channels, -1, -1, -1), padding=padding, groups=channels)
