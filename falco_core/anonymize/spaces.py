"""In which latent space middle layers move: W+, as published, or S, the styles that each convolution makes of it.

In S a layer's convolutions and its part of the picture move on their own, along axes that are those of the picture's
features (StyleSpace, Wu et al., CVPR 2021): with mini the objective gets as far in two thirds of the steps, and further
in the end (docs/performance.md).
"""

from typing import Literal, Protocol

import torch
from torch import Tensor

from falco_core.anonymize.latent import mix_codes
from falco_core.networks.stylegan2 import Generator, StyleCode

Space = Literal["w+", "s"]


class Moving(Protocol):
    """Faces of which something moves."""

    variable: Tensor
    """What is optimized, [N, ...]."""

    def styles(self) -> StyleCode:
        """The style code as it is now."""

    def codes(self) -> Tensor:
        """What is kept of it: W+ codes [N, L, D], or styles [N, S]; `Generator.draw` draws both."""


def moving(space: Space, generator: Generator, *, real: Tensor, middle: Tensor, first: int) -> Moving:
    """real: [N, L, D] codes; middle: [N, M, D] where the layers from `first` on start."""
    with torch.no_grad():
        kept = generator.styles(real)
    kind = _InS if space == "s" else _InWPlus
    return kind(generator, kept, real, middle, first)


class _InWPlus:
    def __init__(self, generator: Generator, kept: StyleCode, real: Tensor, middle: Tensor, first: int) -> None:
        self._generator, self._kept, self._real, self._first = generator, kept, real, first
        self.variable = middle.detach().clone().requires_grad_(True)

    def styles(self) -> StyleCode:
        return self._generator.moved(self._kept, self.variable, self._first)

    def codes(self) -> Tensor:
        return mix_codes(real=self._real, middle=self.variable, first=self._first).detach()


class _InS:
    def __init__(self, generator: Generator, kept: StyleCode, real: Tensor, middle: Tensor, first: int) -> None:
        self._kept, self._first, self._last = kept, first, first + middle.shape[1]
        with torch.no_grad():
            parts = generator.moved(kept, middle, first).taken(self._first, self._last)
        self._sizes = [part.shape[1] for part in parts]
        self.variable = torch.cat(parts, dim=1).requires_grad_(True)

    def styles(self) -> StyleCode:
        return self._kept.replaced(self._first, self._last, self.variable.split(self._sizes, dim=1))

    def codes(self) -> Tensor:
        return self.styles().flat().detach()
