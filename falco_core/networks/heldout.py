"""The held-out recogniser: of another architecture than the one optimized against, it only judges."""

import timm
from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.arcface import face_region
from falco_core.networks.config import HeldOutConfig


class HeldOutRecogniser(nn.Module):
    """Images of FFHQ crops to embeddings of unit length."""

    def __init__(self, config: HeldOutConfig) -> None:
        super().__init__()
        self.config = config
        self.network = timm.create_model(config.architecture, pretrained=False, num_classes=config.embedding)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> [N, E], unit length."""
        return self.embed_crop(self.crop(images))

    def crop(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] -> the face region [N, 3, input_size, input_size]."""
        return face_region(images, self.config.frame_size, self.config.input_size)

    def embed_crop(self, crops: Tensor) -> Tensor:
        """[N, 3, input_size, input_size] -> [N, E], unit length."""
        return functional.normalize(self.network(crops), dim=1)
