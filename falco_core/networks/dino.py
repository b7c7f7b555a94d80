"""DINO's image tower (Caron et al., ICCV 2021), in timm's form: a pairing space without faces in its training."""

from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.config import DinoConfig
from falco_core.networks.resize import Standardize


class Dino(nn.Module):
    """Images to embeddings of unit length."""

    def __init__(self, config: DinoConfig) -> None:
        super().__init__()
        self.config = config
        self.visual = VisionTransformer(
            img_size=config.image_size,
            patch_size=config.patch_size,
            embed_dim=config.width,
            depth=config.layers,
            num_heads=config.heads,
            num_classes=0,
        )
        self.normalize = Standardize(config.image_size, IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)

    def embed(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> [N, width], unit length."""
        return functional.normalize(self.visual(self.normalize(images)), dim=1)
