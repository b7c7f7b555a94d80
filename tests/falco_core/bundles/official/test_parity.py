"""The published networks, at full size, number for number: through container, converter and safetensors to our form."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from falco_core.bundles.bundle import load_network
from falco_core.bundles.official.convert import convert_file
from falco_core.bundles.save import save_weights
from falco_core.bundles.spec import NetworkSpec
from tests import official

TOLERANCE = 1e-4


def agree(ours: Tensor, golden: Any, key: str) -> None:
    """Whether the largest absolute difference is small beside the largest absolute value (`pytest -s` prints it)."""
    found, expected = ours.detach().numpy(), golden[key]
    assert found.shape == expected.shape
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    print(f"{key}: {error:.1e}")
    assert error <= TOLERANCE


def golden(name: str) -> Any:
    return np.load(official.GOLDEN / f"{name}.npz")


def converted(network: str, content: object, folder: Path) -> Any:
    """What a user gets: `content` saved as its publishers do, converted, written, loaded. The files are removed."""
    checkpoint = folder / "checkpoint.pth"
    torch.save(content, checkpoint)
    (made, *_) = convert_file(network, checkpoint)
    path = folder / f"{network}.safetensors"
    spec = NetworkSpec[Any](config=made.config, file=path.name, sha256=save_weights(made.weights, path))
    del made
    checkpoint.unlink()
    module = load_network(network, spec, folder)
    path.unlink()
    return module


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def test_genforce_generator(tmp_path: Path) -> None:
    expected = golden("stylegan2_ffhq1024")
    generator = converted("generator", official.genforce(official.tensors("stylegan2_ffhq1024")), tmp_path)
    w = generator.map(official.uniform("z", (2, 512)))
    agree(w, expected, "w")
    agree(generator.broadcast(generator.truncate(w, 0.7)), expected, "w_plus_psi07")
    styles = generator.styles(official.uniform("wp", (1, 18, 512)))
    for number, style in enumerate(styles.layers):
        agree(style, expected, f"style{number:02d}")
    for number, style in enumerate(styles.to_rgb):
        agree(style, expected, f"output_style{number}")
    assert len(styles.layers) + len(styles.to_rgb) == sum("style" in key for key in expected)
    check_image(generator.synthesize_styles(styles), expected)


def test_rosinality_decoder(tmp_path: Path) -> None:
    expected = golden("e4e_decoder")
    mean = official.uniform("latent_avg", (18, 512), 0.1)
    generator = converted("generator", official.e4e({}, official.tensors("e4e_decoder"), mean), tmp_path)
    agree(generator.map(official.uniform("z", (2, 512))), expected, "w")
    assert torch.equal(generator.w_mean, mean[0])
    check_image(generator.synthesize(official.uniform("wp", (1, 18, 512))), expected)


def check_image(image: Tensor, expected: Any) -> None:
    agree(image[:, :, ::8, ::8], expected, "image_every_8th")
    agree(image.mean(dim=(0, 2, 3)), expected, "image_mean")
    agree(image.std(dim=(0, 2, 3)), expected, "image_std")


def test_e4e_encoder(tmp_path: Path) -> None:
    expected = golden("e4e_ffhq_encode")
    mean = official.uniform("latent_avg", (18, 512), 0.1)
    encoder = converted("encoder", official.e4e(official.tensors("e4e_ffhq_encode"), {}, mean), tmp_path)
    face = official.uniform("face256_e4e", (1, 3, 256, 256), 0.5)
    agree(encoder.offsets(face), expected, "codes_without_latent_avg")
    agree(encoder(face), expected, "codes")


def test_arcface(tmp_path: Path) -> None:
    expected = golden("arcface_ir_se50")
    recogniser = converted("recogniser", official.tensors("arcface_ir_se50"), tmp_path)
    faces = official.uniform("face256", (2, 3, 256, 256), 0.5)
    agree(recogniser.crop(faces)[:1, :, ::4, ::4], expected, "input_112")
    agree(recogniser(faces), expected, "embedding")


def test_farl(tmp_path: Path) -> None:
    expected = golden("farl_visual")
    farl = converted("farl", official.farl(official.tensors("farl_visual")), tmp_path)
    tokens = farl.tokens_of_normalized(official.uniform("face224", (1, 3, 224, 224), 0.5))
    agree(tokens, expected, "tokens")
    agree(farl.project(tokens), expected, "embedding")
