"""The recogniser that is optimized against: IR-SE50 in the published size (Deng et al., ArcFace, CVPR 2019)."""

from torch import Tensor, nn
from torch.nn import functional

from falco_core.networks.config import RecogniserConfig
from falco_core.networks.irse import body, input_layer
from falco_core.networks.resize import resize

# The part of an FFHQ crop that the published code shows to the recogniser, in pixels of a 256 px image.
CROP_ROWS = (35, 223)
CROP_COLUMNS = (32, 220)
CROP_FRAME = 256


class Recogniser(nn.Module):
    """Images of FFHQ crops to embeddings of unit length."""

    def __init__(self, config: RecogniserConfig) -> None:
        super().__init__()
        self.config = config
        self.input_layer = input_layer(config.channels[0])
        self.body = body(config.channels, config.units)
        last, side = config.channels[-1], config.input_size // 16
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(),
            nn.Flatten(),
            nn.Linear(last * side * side, config.embedding),
            nn.BatchNorm1d(config.embedding),
        )

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1], any R -> [N, E], unit length."""
        return self.embed_crop(self.crop(images))

    def crop(self, images: Tensor) -> Tensor:
        """[N, 3, R, R] -> the face region [N, 3, input_size, input_size]."""
        return face_region(images, self.config.frame_size, self.config.input_size)

    def embed_crop(self, crops: Tensor) -> Tensor:
        """[N, 3, input_size, input_size] -> [N, E], unit length."""
        return functional.normalize(self.output_layer(self.body(self.input_layer(crops))), dim=1)


def face_region(images: Tensor, frame_size: int, size: int) -> Tensor:
    """The published face region of FFHQ crops [N, 3, R, R], average-pooled to [N, 3, size, size]."""
    images = resize(images, frame_size)
    top, bottom = (_scaled(row, frame_size) for row in CROP_ROWS)
    left, right = (_scaled(column, frame_size) for column in CROP_COLUMNS)
    return functional.adaptive_avg_pool2d(images[:, :, top:bottom, left:right], size)


def _scaled(position: int, frame_size: int) -> int:
    return int(position * frame_size / CROP_FRAME + 0.5)
