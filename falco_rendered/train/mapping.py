"""The mini generator's mapping, written down instead of trained: W tells every parameter of the renderer.

The renderer turns a standard-normal latent into a value by a curve that is nearly a clipped ramp (a switch: a steep
one), which two leaky units make exactly. A trained mapping of this size mixes all of them up and hardly finds the
switches (after nine minutes three quarters of `hat`'s variance could not be read from W), and no beard or hat is drawn.

Layer 1 makes the ramps, layer 2 values from the ramps, and values that only count under conditions (a beard's density
where there is a beard), layer 3 hands them on. The entries of w that tell values have mean 0 and
variance 1, which is what the styles train best on.

Style mixing is built in: the styles of layers [3, 8) look at the entries of the middle band alone, all other layers at
the others, so a mix of two people's codes is the face that the mixed parameters describe.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import torch
from torch import Tensor

from falco_core.networks.stylegan2 import Dense, Generator
from falco_rendered.parameters import LATENT_SIZE, PARAMETERS, Parameter, Values, attributes_of, group_mask

W_DIM = 192
MIDDLE_LAYERS = (3, 8)
"""W+ layers [first, last) that draw the middle band's parameters; the others draw all others."""
SLOPE = 0.2
"""Of the leaky units below zero."""
GAIN = math.sqrt(2.0)
"""The factor behind every leaky unit."""
STEP = 0.05
"""Half the width of a switch's ramp, in standard deviations of its latent."""


@dataclass(frozen=True)
class Condition:
    """A value that counts only where the switches `when` are on and the switches `unless` are off; all of one band."""

    value: str | None
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


def _conditions() -> tuple[Condition, ...]:
    return (
        Condition(None, ("male", "beard")),
        Condition(None, ("male", "mustache")),
        Condition("beard_density", ("male", "beard")),
        Condition("glasses_size", ("eyeglasses",)),
        Condition("glasses_round", ("eyeglasses",)),
        Condition("smile_amount", ("smiling",)),
        Condition("open_amount", ("mouth_open",)),
        Condition(None, ("smiling", "mouth_open")),
        Condition(None, ("long_hair",), ("bald",)),
        Condition(None, ("long_hair",), ("bald", "hat")),
        Condition(None, ("hat",), ("bald",)),
        Condition(None, ("bald",), ("hat",)),
        Condition("hair_length", ("long_hair",), ("bald",)),
        Condition("hair_length", (), ("long_hair", "bald")),
        Condition("hair_volume", (), ("bald", "hat")),
        Condition("hairline", (), ("bald", "hat")),
        Condition("hair_part", (), ("bald", "hat")),
        Condition("hair_tone", (), ("gray_hair",)),
        Condition("lip_tone", (), ("lipstick",)),
    )


@torch.no_grad()
def write_mapping(generator: Generator) -> None:
    """Set `generator.mapping` (three layers), `w_mean`, and the biases of the styles so that these start at 1."""
    first, second, third = _layers(generator)
    ramps = _write_ramps(first)
    _write_values(second, ramps)
    # A value v comes as leaky(-v); leaky(-leaky(-v) / SLOPE) is v again, so that w is linear in v and centred.
    back = torch.full((third.weight.shape[0],), 1.0 / GAIN)
    back[:LATENT_SIZE] = -1.0 / SLOPE / GAIN
    _set(third, torch.diag(back / GAIN), torch.zeros_like(third.bias))
    z = torch.randn(20_000, LATENT_SIZE, generator=torch.Generator().manual_seed(0))
    generator.w_mean.copy_(generator.map(z).mean(dim=0))
    for layer, style in enumerate_styles(generator):
        heeded = heeded_entries(layer)
        # As many entries as are heeded set the scale, so that styles vary by about 1.
        style.weight.mul_(heeded.float() * math.sqrt(len(heeded) / int(heeded.sum())))
        style.bias.copy_(1.0 - style.weight @ generator.w_mean / math.sqrt(style.weight.shape[1]))


def hold_bands(generator: Generator) -> None:
    """Keep training from giving a layer's style entries of w that are not its own (their weights stay 0)."""
    for layer, style in enumerate_styles(generator):
        style.weight.register_hook(partial(torch.mul, heeded_entries(layer).float().to(style.weight.device)))


def enumerate_styles(generator: Generator) -> Iterator[tuple[int, Dense]]:
    """Every style network with the W+ layer that feeds it."""
    for layer, styled in enumerate(generator.layers):
        yield layer, styled.get_submodule("conv.style")  # type: ignore[misc]
    for number, picture in enumerate(generator.to_rgb):
        yield 2 * number + 1, picture.get_submodule("conv.style")  # type: ignore[misc]


def heeded_entries(layer: int) -> Tensor:
    """Which entries of w the W+ layer `layer` looks at [D] bool: those of its side of the split."""
    bands = [parameter.band for parameter in PARAMETERS] + [_band(condition) for condition in _conditions()]
    middle = torch.tensor([band == "middle" for band in bands] + [False] * (W_DIM - len(bands)))
    outer = torch.tensor([band != "middle" for band in bands] + [False] * (W_DIM - len(bands)))
    return middle if MIDDLE_LAYERS[0] <= layer < MIDDLE_LAYERS[1] else outer


def _band(condition: Condition) -> str:
    names = {*condition.when, *condition.unless, *([condition.value] if condition.value else [])}
    (band,) = {parameter.band for parameter in PARAMETERS if parameter.name in names}
    return band


def told_values(z: Tensor) -> Tensor:
    """Latents [N, P] -> all parameter values and visible attributes [N, P + A], continuous ones of unit variance."""
    values = Values(z)
    columns = [_unit(getattr(values, parameter.name), parameter) for parameter in PARAMETERS]
    return torch.cat([torch.stack(columns, dim=1), attributes_of(z).float() * 2.0 - 1.0], dim=1)


def identity_values(z: Tensor) -> Tensor:
    """Latents [N, P] -> the values of the identity's parameters [N, I], continuous ones of unit variance."""
    return told_values(z)[:, : len(PARAMETERS)][:, group_mask("identity")]


def seen_values(z: Tensor) -> Tensor:
    """Latents [N, P] -> what is not identity: values of attribute and nuisance parameters, and visible attributes."""
    told = told_values(z)
    return torch.cat([told[:, : len(PARAMETERS)][:, ~group_mask("identity")], told[:, len(PARAMETERS) :]], dim=1)


def _layers(generator: Generator) -> tuple[Dense, Dense, Dense]:
    layers = [layer for layer in generator.mapping if isinstance(layer, Dense)]
    width = generator.config.w_dim
    if len(layers) != 3 or width < 2 * LATENT_SIZE:
        raise ValueError(f"the mapping needs 3 layers of at least {2 * LATENT_SIZE}, not {len(layers)} of {width}")
    return layers[0], layers[1], layers[2]


def _write_ramps(layer: Dense) -> Tensor:
    """Two units per parameter; returns [width, P], which makes of the units' outputs ramps from 0 (plus 1/4) to 1."""
    weight, bias = torch.zeros(layer.weight.shape), torch.zeros(layer.bias.shape)
    ramps = torch.zeros(layer.weight.shape[0], LATENT_SIZE)
    for index, parameter in enumerate(PARAMETERS):
        start, end = _ramp(parameter)
        steepness = 1.0 / (end - start)
        for unit, at, sign in ((2 * index, start, 1.0), (2 * index + 1, end, -1.0)):
            weight[unit, index], bias[unit] = steepness, -steepness * at
            # A leaky unit is SLOPE x + (1 - SLOPE) relu(x); of the difference, the first part is constant.
            ramps[unit, index] = sign / (GAIN * (1.0 - SLOPE))
    _set(layer, weight, bias)
    return ramps


def _write_values(layer: Dense, ramps: Tensor) -> None:
    width, index = layer.weight.shape[0], {parameter.name: i for i, parameter in enumerate(PARAMETERS)}
    level = torch.full((LATENT_SIZE,), SLOPE / (1.0 - SLOPE))
    weight, bias = torch.zeros(width, LATENT_SIZE), torch.zeros(width)
    scale = torch.tensor([_scale(parameter) for parameter in PARAMETERS])
    weight[:LATENT_SIZE], bias[:LATENT_SIZE] = torch.diag(-scale), 0.5 * scale
    for row, condition in enumerate(_conditions(), LATENT_SIZE):
        # Far below zero unless the condition holds; then the value, or 1 where there is none.
        strength = 2.0
        for name in condition.when:
            weight[row, index[name]], bias[row] = strength, bias[row] - strength
        for name in condition.unless:
            weight[row, index[name]] = -strength
        bias[row] += 1.0 if condition.value is None else 0.0
        if condition.value is not None:
            weight[row, index[condition.value]] += 2.0
    _set(layer, weight @ ramps.T, bias - weight @ level)


def _ramp(parameter: Parameter) -> tuple[float, float]:
    """Where the parameter's latent starts and stops to matter."""
    if parameter.kind == "switch":
        threshold = NormalDist().inv_cdf(1.0 - parameter.low)
        return threshold - STEP, threshold + STEP
    # The normal distribution function is nearest to a ramp of this half width.
    return (-2.5, 2.5) if parameter.kind == "bell" else (-1.5, 1.5)


def _scale(parameter: Parameter) -> float:
    """From 0..1 to unit variance."""
    if parameter.kind == "switch":
        return 1.0 / math.sqrt(parameter.low * (1.0 - parameter.low))
    return 5.0 if parameter.kind == "bell" else math.sqrt(12.0)


def _set(layer: Dense, weight: Tensor, bias: Tensor) -> None:
    """What the layer shall compute, through its scaled weights."""
    layer.weight.copy_(weight / layer._weight_scale)
    layer.bias.copy_(bias / layer._bias_scale)


def _unit(value: Tensor, parameter: Parameter) -> Tensor:
    if parameter.kind == "switch":
        return value * 2.0 - 1.0
    half = (parameter.high - parameter.low) / 2.0
    centred = (value - parameter.low) / half - 1.0
    # Uniform on -1..1, or a normal one that is cut at 2.5 standard deviations.
    return centred * (3.0**0.5 if parameter.kind == "spread" else 2.5)
