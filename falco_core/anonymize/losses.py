"""The two losses of FALCO, per face, so that a batch is only a sum of independent problems."""

from torch import Tensor


def identity_obfuscation_loss(*, generated: Tensor, original: Tensor, margin: float | Tensor) -> Tensor:
    """|cos(R(x_hat), R(x)) - m| per face (FALCO, eq. 2).

    generated, original: [N, E] recogniser embeddings of unit length; margin: one, or [N]; returns [N] in [0, 2].
    """
    return (cosine(generated, original) - margin).abs()


def attribute_preservation_loss(*, generated: Tensor, original: Tensor) -> Tensor:
    """Sum over tokens of the mean absolute difference of FaRL features, per face (FALCO, eq. 3).

    generated, original: [N, T, C] tokens; returns [N], not negative.
    """
    return (generated - original).abs().mean(dim=2).sum(dim=1)


def cosine(left: Tensor, right: Tensor) -> Tensor:
    """Row by row cosine of unit vectors: [N, E], [N, E] -> [N]."""
    return (left * right).sum(dim=1)
