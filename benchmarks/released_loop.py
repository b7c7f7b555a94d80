"""The optimization loop of FALCO's released code, written out: one face at a time, nothing saved.

Its generator scales the weights of every layer by the face's style and convolves with one group per face (the form of
the published StyleGAN2 code); both pictures go through ArcFace and FaRL at every step; all weights ask for gradients,
as networks do that nobody told otherwise. What it minimizes is the solver's own objective, so that both are compared
by what they reach: with `masks` on the composite, without on the generated crop.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional

from falco_core.anonymize.latent import mix_codes
from falco_core.anonymize.losses import attribute_preservation_loss, identity_obfuscation_loss
from falco_core.anonymize.solver import DECAY, DECAY_AT, PUBLISHED_STEPS, Problem
from falco_core.bundles.bundle import Bundle
from falco_core.networks.still import depthwise
from falco_core.networks.stylegan2 import SQRT2, ModulatedConv, StyledLayer, ToRGB, upsample
from falco_core.project.params import AnonymizeParams


def released_loop(
    bundle: Bundle,
    params: AnonymizeParams,
    problem: Problem,
    *,
    steps: int = PUBLISHED_STEPS,
    tell: Callable[[], None] | None = None,
) -> Tensor:
    """The optimized W+ codes [N, L, D], by the published schedule and the bundle's learning rate.

    tell: is called after each step.
    """
    with _as_released(bundle):
        rows = (problem.rows(torch.tensor([row], device=problem.real.device)) for row in range(len(problem.real)))
        return torch.cat([_one_face(bundle, params, face, steps, tell) for face in rows])


def _one_face(
    bundle: Bundle, params: AnonymizeParams, face: Problem, steps: int, tell: Callable[[], None] | None
) -> Tensor:
    first, last = bundle.spec.optimize_layers
    middle = face.fake[:, first:last].clone().requires_grad_(True)
    optimizer = torch.optim.Adam([middle], lr=bundle.spec.learning_rate)
    milestones = [int(share * steps) for share in DECAY_AT]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma=DECAY)
    for _ in range(steps):
        optimizer.zero_grad()
        images = bundle.generator.synthesize(mix_codes(real=face.real, middle=middle, first=first))
        seen = images if face.masks is None else face.crops + face.masks * (images - face.crops)
        identity = identity_obfuscation_loss(
            generated=bundle.recogniser(seen), original=bundle.recogniser(face.crops), margin=params.margin
        )
        attribute = attribute_preservation_loss(
            generated=bundle.farl.tokens(seen), original=bundle.farl.tokens(face.crops)
        )
        (params.lambda_id * identity + params.lambda_attr * attribute).sum().backward()
        optimizer.step()
        schedule.step()
        if tell is not None:
            tell()
    return mix_codes(real=face.real, middle=middle.detach(), first=first)


@contextmanager
def _as_released(bundle: Bundle) -> Iterator[None]:
    """Weights ask for gradients, and the generator convolves in groups, in the memory order of the published code."""
    networks: tuple[nn.Module, ...] = (bundle.generator, bundle.recogniser, bundle.farl)
    for network in networks:
        network.requires_grad_(True)
    try:
        with (
            patch.object(StyledLayer, "forward", _styled),
            patch.object(ToRGB, "forward", _to_rgb),
            patch("torch.Tensor.contiguous", _plain_order),
        ):
            yield
    finally:
        for network in networks:
            network.requires_grad_(False)
            network.zero_grad(set_to_none=True)


_CONTIGUOUS = Tensor.contiguous


def _plain_order(tensor: Tensor, **_: Any) -> Tensor:
    return _CONTIGUOUS(tensor)


def _styled(layer: StyledLayer, x: Tensor, style: Tensor) -> Tensor:
    x = _grouped(layer.conv, x, style)
    x = x + layer.noise * layer.noise_strength
    return functional.leaky_relu(x + layer.bias[:, None, None], 0.2) * SQRT2


def _to_rgb(layer: ToRGB, x: Tensor, style: Tensor, image: Tensor | None) -> Tensor:
    faces, channels, height, width = x.shape
    weight = layer.conv.weight[None] * layer.conv._scale * style[:, None, :, None, None]
    rgb = functional.conv2d(x.reshape(1, faces * channels, height, width), weight.flatten(0, 1), groups=faces)
    rgb = rgb.reshape(faces, 3, height, width) + layer.bias[:, None, None]
    return rgb if image is None else rgb + upsample(image, layer._fir)


def _grouped(conv: ModulatedConv, x: Tensor, style: Tensor) -> Tensor:
    """x [N, C, H, W], style [N, C] -> [N, C', H, W']: a weight for each face, a group for each face."""
    faces, channels, height, width = x.shape
    weight = conv.weight[None] * conv._scale * style[:, None, :, None, None]
    weight = weight * torch.rsqrt(weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
    x = x.reshape(1, faces * channels, height, width)
    if conv._up:
        turned = weight.transpose(1, 2).reshape(faces * channels, -1, *weight.shape[-2:])
        x = functional.conv_transpose2d(x, turned, stride=2, groups=faces)
        x = x.reshape(faces, -1, *x.shape[-2:])
        return depthwise(functional.pad(x, (1, 1, 1, 1)), conv._fir)
    x = functional.conv2d(x, weight.flatten(0, 1), padding=weight.shape[-1] // 2, groups=faces)
    return x.reshape(faces, -1, *x.shape[-2:])
