"""The attribute probe: says which attributes a face shows; a judge of utility that no optimization looks at."""

import timm
from torch import Tensor, nn

from falco_core.networks.config import ProbeConfig
from falco_core.networks.resize import resize


class Probe(nn.Module):
    """Images of FFHQ crops to attributes."""

    def __init__(self, config: ProbeConfig) -> None:
        super().__init__()
        self.config = config
        self.network = timm.create_model(config.architecture, pretrained=False, num_classes=len(config.attributes))

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> logits [N, A] in the order of `config.attributes`."""
        logits: Tensor = self.network(resize(images, self.config.input_size))
        return logits

    def found(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] -> which attributes are seen [N, A] bool."""
        seen: Tensor = self(images) > 0
        return seen
