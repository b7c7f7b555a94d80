"""The held-out recogniser: of another architecture than the one optimized against, it only judges."""

import timm
from facenet_pytorch import InceptionResnetV1
from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.arcface import face_region
from falco_core.networks.config import HeldOutConfig

FACENET = "inception_resnet_v1"
FACENET_GAIN = 127.5 / 128.0
"""Its published input is (x - 127.5) / 128 of 8-bit values, ours (x - 127.5) / 127.5."""


class HeldOutRecogniser(nn.Module):
    """Images of FFHQ crops to embeddings of unit length."""

    def __init__(self, config: HeldOutConfig) -> None:
        super().__init__()
        self.config = config
        self.network = _build(config)
        self._gain = FACENET_GAIN if config.architecture == FACENET else 1.0

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> [N, E], unit length."""
        return self.embed_crop(self.crop(images))

    def crop(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] -> the face region [N, 3, input_size, input_size]."""
        return face_region(images, self.config.frame_size, self.config.input_size)

    def embed_crop(self, crops: Tensor) -> Tensor:
        """[N, 3, input_size, input_size] -> [N, E], unit length."""
        return functional.normalize(self.network(crops * self._gain), dim=1)


def _build(config: HeldOutConfig) -> nn.Module:
    network: nn.Module
    if config.architecture == FACENET:
        network = InceptionResnetV1(pretrained=None, classify=False, num_classes=None)
    else:
        network = timm.create_model(config.architecture, pretrained=False, num_classes=config.embedding)
    return network
