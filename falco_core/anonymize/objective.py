"""What the optimization lowers: both losses of a batch of faces, and which way is down.

Each loss looks at the same pictures through a network of its own and needs nothing of the other's, so the two are
computed apart; a face that is computed alone has a core for each.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from falco_core.anonymize.losses import attribute_preservation_loss, cosine, identity_obfuscation_loss
from falco_core.bundles.bundle import Bundle
from falco_core.networks.resize import resize
from falco_core.parallel import parts_of_one
from falco_core.project.params import AnonymizeParams, SolverParams


@dataclass(frozen=True)
class Measured:
    """Per face [N]: the recogniser's cosine, the two unweighted losses, and the objective made of them."""

    cosine: Tensor
    identity: Tensor
    attribute: Tensor
    total: Tensor


@dataclass(frozen=True)
class _Seen:
    """One network's features of pictures, and the loss made of them [N]."""

    features: Tensor
    loss: Tensor


class Objective:
    """lambda_id |cos - m| + lambda_attr sum_tokens mean|F(x_hat) - F(x)|, of each face of a batch.

    crops: [N, 3, R, R] originals in [-1, 1]; masks: [N, 1, R, R] in 0..1, where the losses see the generated crop in
    the original's surroundings, or None, where they see it alone. Originals are looked at once.
    """

    identity: Tensor
    """The originals' embeddings [N, E], of unit length."""

    def __init__(
        self, bundle: Bundle, params: AnonymizeParams, settings: SolverParams, *, crops: Tensor, masks: Tensor | None
    ) -> None:
        self._bundle, self._params, self._masks = bundle, params, masks
        self._released = settings.reproduce_released_code
        self._low_precision = settings.precision == "bfloat16"
        self._crops = (crops + 1.0) / 2.0 if self._released else crops
        with torch.no_grad():
            self.identity = bundle.recogniser(self._crops)
            self._tokens = self._tokens_of(self._crops)

    @torch.no_grad()
    def measure(self, images: Tensor) -> Measured:
        """images [N, 3, R, R], generated."""
        seen = self._seen(images)
        return self._measured(self._who(seen), self._what(seen))

    def downhill(self, images: Tensor) -> tuple[Measured, Tensor]:
        """What `measure` says, and the gradient [N, 3, R, R] of each face's objective with respect to its image."""
        seen = self._seen(images.detach())
        parts: tuple[tuple[Callable[[Tensor], _Seen], float], ...] = (
            (self._what, self._params.lambda_attr),
            (self._who, self._params.lambda_id),
        )
        (what, down), (who, away) = parts_of_one(lambda part: self._part(seen, *part), parts)
        gradient = away + down
        return self._measured(who, what), gradient if self._masks is None else gradient * self._masks

    def _part(self, seen: Tensor, look: Callable[[Tensor], _Seen], weight: float) -> tuple[_Seen, Tensor]:
        """What one network sees, and its part of the gradient with respect to `seen`."""
        own = seen.detach().requires_grad_(True)
        # Both settings belong to a thread, and this may be another one than the caller's.
        with torch.enable_grad(), torch.autocast(seen.device.type, torch.bfloat16, enabled=self._low_precision):
            found = look(own)
        (gradient,) = torch.autograd.grad((weight * found.loss).sum(), [own])
        return _Seen(found.features.detach(), found.loss.detach()), gradient

    def _measured(self, who: _Seen, what: _Seen) -> Measured:
        return Measured(
            cosine=cosine(who.features, self.identity),
            identity=who.loss,
            attribute=what.loss,
            total=self._params.lambda_id * who.loss + self._params.lambda_attr * what.loss,
        )

    def _who(self, seen: Tensor) -> _Seen:
        found = self._bundle.recogniser(seen).float()
        loss = identity_obfuscation_loss(generated=found, original=self.identity, margin=self._params.margin)
        return _Seen(found, loss)

    def _what(self, seen: Tensor) -> _Seen:
        found = self._tokens_of(seen).float()
        return _Seen(found, attribute_preservation_loss(generated=found, original=self._tokens))

    def _seen(self, images: Tensor) -> Tensor:
        return images if self._masks is None else self._crops + self._masks * (images - self._crops)

    def _tokens_of(self, images: Tensor) -> Tensor:
        farl = self._bundle.farl
        if self._released:
            # The released code shows FaRL its images as they are: originals in [0, 1], generated ones about [-1, 1].
            return farl.tokens_of_normalized(resize(images, farl.config.image_size))
        return farl.tokens(images)
