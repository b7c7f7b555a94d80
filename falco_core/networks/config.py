"""The sizes of the networks, as bundle.yaml gives them; light to import, so that reading a bundle's page is too."""

import math

from pydantic import BaseModel, ConfigDict, Field


class NetworkConfig(BaseModel):
    """Sizes of one network: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GeneratorConfig(NetworkConfig):
    """Sizes of a generator."""

    resolution: int = Field(ge=8, le=1024)
    z_dim: int = Field(ge=1)
    w_dim: int = Field(ge=1)
    mapping_layers: int = Field(8, ge=1)
    mapping_lr_multiplier: float = Field(0.01, gt=0)
    normalize_z: bool = True
    """Scale z to unit mean square first, as the published network does."""
    channel_base: int = Field(32768, ge=8)
    channel_max: int = Field(512, ge=1)

    @property
    def num_layers(self) -> int:
        """L, the number of style inputs."""
        return 2 * int(math.log2(self.resolution)) - 2

    def channels(self, resolution: int) -> int:
        """Feature maps at `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)


class EncoderConfig(NetworkConfig):
    """Sizes of an encoder; the defaults are those of e4e_ffhq_encode.pt."""

    num_layers: int = Field(18, ge=1)
    w_dim: int = Field(512, ge=1)
    input_size: int = Field(256, ge=32, multiple_of=16)
    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    units: tuple[int, int, int, int] = (3, 4, 14, 3)


class RecogniserConfig(NetworkConfig):
    """Sizes of a recogniser; the defaults are those of model_ir_se50.pth."""

    frame_size: int = Field(256, ge=16)
    """Images are brought to this size before the face is cut out."""
    input_size: int = Field(112, ge=16, multiple_of=16)
    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    units: tuple[int, int, int, int] = (3, 4, 14, 3)
    embedding: int = Field(512, ge=2)


class HeldOutConfig(NetworkConfig):
    """Which architecture, and its sizes."""

    architecture: str = Field(min_length=1)
    """`inception_resnet_v1` (facenet-pytorch's) or one of timm's."""
    frame_size: int = Field(256, ge=16)
    input_size: int = Field(112, ge=16)
    embedding: int = Field(512, ge=2)


class FarlConfig(NetworkConfig):
    """Sizes of an image tower of FaRL's and CLIP's form; the defaults are those of FaRL-Base-Patch16."""

    image_size: int = Field(224, ge=8)
    patch_size: int = Field(16, ge=1)
    width: int = Field(768, ge=1)
    layers: int = Field(12, ge=1)
    heads: int = Field(12, ge=1)
    embedding: int = Field(512, ge=1)


class FarlTextConfig(NetworkConfig):
    """Sizes of the text tower beside an image tower; the defaults are those of FaRL-Base-Patch16."""

    context_length: int = Field(77, ge=4)
    vocabulary: int = Field(49408, ge=49408)
    width: int = Field(512, ge=1)
    layers: int = Field(12, ge=1)
    heads: int = Field(8, ge=1)
    embedding: int = Field(512, ge=1)


class DinoConfig(NetworkConfig):
    """Sizes of DINO's vision transformer; the defaults are those of ViT-B/16."""

    image_size: int = Field(224, ge=8)
    patch_size: int = Field(16, ge=1)
    width: int = Field(768, ge=1)
    layers: int = Field(12, ge=1)
    heads: int = Field(12, ge=1)


class ProbeConfig(NetworkConfig):
    """Which of timm's architectures the attribute probe has, and what it tells."""

    architecture: str = Field(min_length=1)
    input_size: int = Field(112, ge=16)
    attributes: tuple[str, ...] = Field(min_length=1)
