import pytest
import torch

from falco_core.networks.arcface import Recogniser, face_region
from falco_core.networks.config import EncoderConfig, FarlConfig, RecogniserConfig
from falco_core.networks.e4e import Encoder
from falco_core.networks.farl import Farl

SMALL = (4, 4, 8, 8)
UNITS = (1, 1, 1, 1)


def test_the_recogniser_sees_the_published_face_region() -> None:
    images = torch.zeros(1, 3, 256, 256)
    images[:, :, 35:223, 32:220] = 1.0
    assert face_region(images, 256, 112).min() == 1.0
    images = 1.0 - images
    assert face_region(images, 256, 112).max() == 0.0


@pytest.mark.parametrize("resolution", [32, 64, 128, 200])
def test_networks_take_images_of_any_size(resolution: int) -> None:
    images = torch.rand(2, 3, resolution, resolution) * 2 - 1
    recogniser = Recogniser(
        RecogniserConfig(frame_size=64, input_size=32, channels=SMALL, units=UNITS, embedding=6)
    ).eval()
    farl = Farl(FarlConfig(image_size=32, patch_size=16, width=8, layers=1, heads=2, embedding=6)).eval()
    encoder = Encoder(EncoderConfig(num_layers=8, w_dim=8, input_size=32, channels=SMALL, units=UNITS)).eval()
    for embedding in (recogniser(images), farl.embed(images)):
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))
    assert farl.tokens(images).shape == (2, 5, 8)
    assert encoder(images).shape == (2, 8, 8)


def test_the_encoder_adds_its_mean_code() -> None:
    encoder = Encoder(EncoderConfig(num_layers=8, w_dim=8, input_size=32, channels=SMALL, units=UNITS)).eval()
    encoder.latent_avg.fill_(3.0)
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(encoder(images), encoder.offsets(images) + 3.0)


def test_the_published_sizes_are_the_defaults() -> None:
    assert RecogniserConfig().units == EncoderConfig().units == (3, 4, 14, 3)
    assert (FarlConfig().width, FarlConfig().layers, FarlConfig().image_size) == (768, 12, 224)
    assert EncoderConfig().num_layers == 18
