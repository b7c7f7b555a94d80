import pytest
import torch
from torch import Tensor
from torch.nn import functional

from falco_core.networks.config import GeneratorConfig
from falco_core.networks.stylegan2 import Generator, Projection, StyleCode, StyledLayer, fir_kernel, upsample

CONFIG = GeneratorConfig(resolution=32, z_dim=8, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8)


def plain(weights: Tensor, x: Tensor, styles: Tensor, *, up: bool, demodulate: bool) -> Tensor:
    """The paper's form: one weight per image, scaled and normalized (Karras et al., eq. 1 and 3)."""
    rows = []
    for image, style in zip(x, styles, strict=True):
        weight = weights / (weights[0].numel() ** 0.5) * style[None, :, None, None]
        if demodulate:
            weight = weight * torch.rsqrt(weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        if up:
            row = functional.conv_transpose2d(image[None], weight.transpose(0, 1), stride=2)
            kernel = fir_kernel().to(row).expand(row.shape[1], -1, -1, -1)
            row = functional.conv2d(functional.pad(row, (1, 1, 1, 1)), kernel, groups=row.shape[1])
        else:
            row = functional.conv2d(image[None], weight, padding=weight.shape[-1] // 2)
        rows.append(row)
    return torch.cat(rows)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("moving", [False, True])
def test_a_layer_is_the_papers_whether_activations_or_weights_are_scaled(up: bool, images: int, moving: bool) -> None:
    torch.manual_seed(0)
    side = 12 if up else 6
    layer = StyledLayer(5, 7, 8, side, up=up).double().requires_grad_(False)
    layer.bias.normal_()
    layer.noise_strength.fill_(0.3)
    x = torch.randn(images, 5, 6, 6, dtype=torch.float64, requires_grad=True)
    styles = torch.randn(images, 5, dtype=torch.float64, requires_grad=moving)
    plainly = plain(layer.conv.weight, x, styles, up=up, demodulate=True) + layer.noise * 0.3
    expected = functional.leaky_relu(plainly + layer.bias[:, None, None], 0.2) * 2**0.5
    found = layer(x, styles)
    torch.testing.assert_close(found, expected)
    inputs, weights = [x, styles][: 1 + moving], torch.randn_like(expected)
    gradients = [torch.autograd.grad((y * weights).sum(), inputs) for y in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        torch.testing.assert_close(layer(x, styles), expected)


def test_a_projection_is_a_convolution_without_neighbours() -> None:
    torch.manual_seed(0)
    projection = Projection(5, 8).double()
    x, styles, bias = torch.randn(3, 5, 6, 4).double(), torch.randn(3, 5).double(), torch.randn(3).double()
    expected = plain(projection.weight, x, styles, up=False, demodulate=False) + bias[:, None, None]
    torch.testing.assert_close(projection(x, styles, bias), expected)


def test_upsampling_keeps_a_constant_image() -> None:
    image = torch.full((1, 3, 8, 8), 0.7)
    torch.testing.assert_close(upsample(image, fir_kernel())[:, :, 2:-2, 2:-2], torch.full((1, 3, 12, 12), 0.7))


def test_shapes_and_layers() -> None:
    generator = Generator(CONFIG)
    assert generator.num_layers == 8
    codes = generator.broadcast(generator.map(torch.randn(2, 8)))
    assert codes.shape == (2, 8, 8)
    assert generator.synthesize(codes).shape == (2, 3, 32, 32)
    assert generator.synthesize(codes, resolution=8).shape == (2, 3, 8, 8)


def test_a_lower_resolution_reads_only_its_own_layers() -> None:
    generator = Generator(CONFIG)
    codes = torch.randn(1, 8, 8)
    changed = codes.clone()
    changed[:, 4:] += 1
    low = generator.synthesize(codes, resolution=8)
    assert torch.equal(low, generator.synthesize(changed, resolution=8))
    assert not torch.equal(generator.synthesize(codes), generator.synthesize(changed))


def test_the_four_inputs_lead_to_one_image() -> None:
    generator = Generator(CONFIG)
    z = torch.randn(2, 8)
    codes = generator.broadcast(generator.map(z))
    image = generator(z)
    assert torch.equal(generator.synthesize(codes), image)
    assert torch.equal(generator.synthesize_styles(generator.styles(codes)), image)
    low = generator.styles(codes, resolution=8)
    assert (len(low.layers), len(low.to_rgb)) == (3, 2)
    assert torch.equal(generator.synthesize_styles(low), generator.synthesize(codes, resolution=8))


@pytest.mark.parametrize(("first", "last"), [(3, 6), (0, 8), (7, 8), (2, 2)])
def test_moved_styles_are_those_of_the_mixed_code(first: int, last: int) -> None:
    generator = Generator(CONFIG).requires_grad_(False)
    real, fake = torch.randn(2, 2, 8, 8)
    mixed = real.clone()
    mixed[:, first:last] = fake[:, first:last]
    middle = fake[:, first:last].clone().requires_grad_(True)
    moved = generator.moved(generator.styles(real), middle, first)
    expected = generator.styles(mixed)
    assert all(map(torch.equal, moved.layers + moved.to_rgb, expected.layers + expected.to_rgb))
    asking = [style.requires_grad for style in moved.layers]
    assert asking == [first <= number < last for number in range(7)]


def test_the_last_style_colours_the_image_and_moves_nothing_else() -> None:
    generator = Generator(CONFIG)
    styles = generator.styles(torch.randn(1, 8, 8))
    moved = StyleCode(styles.layers, (*styles.to_rgb[:-1], torch.zeros_like(styles.to_rgb[-1])))
    fir = fir_kernel()
    before = generator.synthesize_styles(StyleCode(styles.layers[:-2], styles.to_rgb[:-1]))
    expected = upsample(before, fir) + generator.to_rgb[-1].bias[None, :, None, None]
    torch.testing.assert_close(generator.synthesize_styles(moved), expected)


def test_every_layer_has_a_say_in_the_image() -> None:
    generator = Generator(CONFIG)
    codes = torch.randn(1, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(generator.synthesize(codes).square().sum(), [codes])
    assert (gradient.abs().sum(dim=(0, 2)) > 0).all()


def test_truncation_draws_towards_the_mean() -> None:
    generator = Generator(CONFIG)
    generator.w_mean.copy_(torch.arange(8.0))
    w = torch.randn(3, 8)
    torch.testing.assert_close(generator.truncate(w, 1.0), w)
    torch.testing.assert_close(generator.truncate(w, 0.0), generator.w_mean.expand(3, 8))
