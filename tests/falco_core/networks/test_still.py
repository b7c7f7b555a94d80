"""Layers of large images come out the same to the bit with any number of threads: the only ones that have several."""

from collections.abc import Iterator

import pytest
import torch

from falco_core.networks.config import GeneratorConfig
from falco_core.networks.still import still_layer
from falco_core.networks.stylegan2 import fir_kernel

FULL = GeneratorConfig(resolution=1024, z_dim=512, w_dim=512)
SMALL = GeneratorConfig(resolution=128, z_dim=83, w_dim=192, channel_base=3072, channel_max=192)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def through(
    config: GeneratorConfig, resolution: int, up: bool, threads: int, dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, torch.Tensor]:
    """What comes out of a layer, and the gradient that goes in."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    inputs, outputs = config.channels(resolution // 2 if up else resolution), config.channels(resolution)
    side = resolution // 2 if up else resolution
    x, gradient = (
        torch.randn(1, *shape).to(dtype).contiguous(memory_format=torch.channels_last)
        for shape in ((inputs, side, side), (outputs, resolution, resolution))
    )
    weight, noise, bias = torch.randn(outputs, inputs, 3, 3), torch.randn(1, 1, resolution, resolution), torch.randn(1)
    x.requires_grad_(True)
    rest = weight / inputs**0.5, fir_kernel(), noise, bias.expand(outputs)[:, None, None]
    weight, fir, noise, bias = (part.to(dtype) for part in rest)
    y = still_layer(x, weight, fir if up else None, noise, bias)
    return y.detach(), torch.autograd.grad(y, [x], gradient)[0]


@pytest.mark.parametrize(
    ("config", "resolution"),
    [
        (SMALL, 4),
        (FULL, 4),
        (FULL, 16),
        (SMALL, 64),
        (SMALL, 128),
        (FULL, 64),
        (FULL, 128),
        pytest.param(FULL, 256, marks=pytest.mark.slow),
        pytest.param(FULL, 512, marks=pytest.mark.slow),
        pytest.param(FULL, 1024, marks=pytest.mark.slow),
    ],
    ids=str,
)
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_threads_change_no_bit(config: GeneratorConfig, resolution: int, up: bool, dtype: torch.dtype) -> None:
    first = through(config, resolution, up, 1, dtype)
    for threads in (2, 3, 4, 8):
        other = through(config, resolution, up, threads, dtype)
        assert all(map(torch.equal, first, other)), threads
