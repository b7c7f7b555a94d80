"""How a W+ code is split into layers that are kept and layers that are optimized (FALCO, section 3.3)."""

from torch import Tensor


def mix_codes(*, real: Tensor, middle: Tensor, first: int) -> Tensor:
    """The real code with its layers from `first` on replaced by `middle`.

    real: [N, L, D], middle: [N, M, D]; returns [N, L, D]. Gradients flow to both.
    """
    mixed = real.clone()
    mixed[:, first : first + middle.shape[1]] = middle
    return mixed
