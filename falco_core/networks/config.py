"""The sizes of the networks, as bundle.yaml gives them; light to import, so that reading a bundle's page is too."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Width = Annotated[int, Field(ge=1, le=8192)]
"""Channels, features or dimensions: several times what any published network of these kinds has."""
Depth = Annotated[int, Field(ge=1, le=128)]
"""Layers or blocks."""
Side = Annotated[int, Field(ge=8, le=2048)]
"""Pixels, side of an image."""
Patch = Annotated[int, Field(ge=1, le=512)]
Channels = tuple[Width, Width, Width, Width]
Units = tuple[Depth, Depth, Depth, Depth]
Architecture = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}(\.[a-z0-9_]{1,64})?$")]
"""A name: no address. timm takes `hf-hub:` and `local-dir:` for orders to fetch or read something else."""


class NetworkConfig(BaseModel):
    """Sizes of one network: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GeneratorConfig(NetworkConfig):
    """Sizes of a generator."""

    resolution: int = Field(ge=8, le=1024)
    z_dim: Width
    w_dim: Width
    mapping_layers: Depth = 8
    mapping_lr_multiplier: float = Field(0.01, gt=0, le=100)
    normalize_z: bool = True
    """Scale z to unit mean square first, as the published network does."""
    channel_base: int = Field(32768, ge=8, le=2**20)
    channel_max: Width = 512

    @property
    def num_layers(self) -> int:
        """L, the number of style inputs."""
        return 2 * int(math.log2(self.resolution)) - 2

    def channels(self, resolution: int) -> int:
        """Feature maps at `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)


class EncoderConfig(NetworkConfig):
    """Sizes of an encoder; the defaults are those of e4e_ffhq_encode.pt."""

    num_layers: Depth = 18
    w_dim: Width = 512
    input_size: int = Field(256, ge=32, le=2048, multiple_of=16)
    channels: Channels = (64, 128, 256, 512)
    units: Units = (3, 4, 14, 3)


class RecogniserConfig(NetworkConfig):
    """Sizes of a recogniser; the defaults are those of model_ir_se50.pth."""

    frame_size: int = Field(256, ge=16, le=2048)
    """Images are brought to this size before the face is cut out."""
    input_size: int = Field(112, ge=16, le=2048, multiple_of=16)
    channels: Channels = (64, 128, 256, 512)
    units: Units = (3, 4, 14, 3)
    embedding: int = Field(512, ge=2, le=8192)


class HeldOutConfig(NetworkConfig):
    """Which architecture, and its sizes."""

    architecture: Architecture
    """`inception_resnet_v1` (facenet-pytorch's) or one of timm's."""
    frame_size: int = Field(256, ge=16, le=2048)
    input_size: int = Field(112, ge=16, le=2048)
    embedding: int = Field(512, ge=2, le=8192)


class FarlConfig(NetworkConfig):
    """Sizes of an image tower of FaRL's and CLIP's form; the defaults are those of FaRL-Base-Patch16."""

    image_size: Side = 224
    patch_size: Patch = 16
    width: Width = 768
    layers: Depth = 12
    heads: Depth = 12
    embedding: Width = 512


class FarlTextConfig(NetworkConfig):
    """Sizes of the text tower beside an image tower; the defaults are those of FaRL-Base-Patch16."""

    context_length: int = Field(77, ge=4, le=4096)
    vocabulary: int = Field(49408, ge=49408, le=2**20)
    width: Width = 512
    layers: Depth = 12
    heads: Depth = 8
    embedding: Width = 512


class DinoConfig(NetworkConfig):
    """Sizes of DINO's vision transformer; the defaults are those of ViT-B/16."""

    image_size: Side = 224
    patch_size: Patch = 16
    width: Width = 768
    layers: Depth = 12
    heads: Depth = 12


class ProbeConfig(NetworkConfig):
    """Which of timm's architectures the attribute probe has, and what it tells."""

    architecture: Architecture
    input_size: int = Field(112, ge=16, le=2048)
    attributes: tuple[str, ...] = Field(min_length=1, max_length=4096)


class StartConfig(NetworkConfig):
    """Sizes of a start."""

    num_layers: Depth
    moved: Depth
    """W+ layers that are optimized."""
    w_dim: Width
    identity: int = Field(ge=2, le=8192)
    """Of the recogniser's embedding."""
    hidden: Width = 160
    blocks: Depth = 2
