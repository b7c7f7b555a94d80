import pytest
import torch
from torch.nn.functional import normalize

from falco_core.anonymize.latent import mix_codes
from falco_core.anonymize.losses import attribute_preservation_loss, identity_obfuscation_loss


@pytest.mark.parametrize(("angle_cosine", "margin", "expected"), [(1.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.5, 0.5)])
def test_the_identity_loss_is_the_distance_to_the_margin(angle_cosine: float, margin: float, expected: float) -> None:
    original = torch.tensor([[1.0, 0.0]])
    generated = torch.tensor([[angle_cosine, (1 - angle_cosine**2) ** 0.5]])
    loss = identity_obfuscation_loss(generated=generated, original=original, margin=margin)
    torch.testing.assert_close(loss, torch.tensor([expected]))


def test_the_attribute_loss_sums_tokens_and_averages_channels() -> None:
    generated = torch.zeros(2, 3, 4)
    original = torch.stack([torch.full((3, 4), 2.0), torch.zeros(3, 4)])
    loss = attribute_preservation_loss(generated=generated, original=original)
    torch.testing.assert_close(loss, torch.tensor([6.0, 0.0]))


def test_gradients_of_both_losses_are_right() -> None:
    torch.manual_seed(0)
    left, right = torch.randn(2, 3, 5, dtype=torch.float64), torch.randn(2, 3, 5, dtype=torch.float64)
    left.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: attribute_preservation_loss(generated=x, original=right), [left])
    assert torch.autograd.gradcheck(
        lambda x: identity_obfuscation_loss(
            generated=normalize(x[:, 0], dim=1), original=normalize(right[:, 0], dim=1), margin=0.3
        ),
        [left],
    )


def test_mixing_replaces_the_middle_and_nothing_else() -> None:
    real, middle = torch.zeros(2, 8, 3), torch.ones(2, 3, 3)
    mixed = mix_codes(real=real, middle=middle, first=3)
    assert mixed[:, 3:6].eq(1).all()
    assert mixed.sum() == middle.sum()
    assert real.eq(0).all()
