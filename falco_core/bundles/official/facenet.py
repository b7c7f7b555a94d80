"""facenet-pytorch's InceptionResnetV1 as the held-out judge."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from falco_core.bundles.official.checkpoint import outline, tensors_of
from falco_core.bundles.official.translate import Converted, Naming, Rule, translate
from falco_core.errors import BundleError
from falco_core.networks.config import HeldOutConfig
from falco_core.networks.heldout import FACENET

# In a picture of this size the published face region has just the 160 pixels that the network was trained at.
FRAME_SIZE = 218
CONFIG = HeldOutConfig(architecture=FACENET, frame_size=FRAME_SIZE, input_size=160, embedding=512)


def convert_heldout(path: Path, content: Mapping[str, Any]) -> Converted:
    """20180402-114759-vggface2.pt or 20180408-102900-casia-webface.pt; the layer that names people is left out."""
    if "conv2d_1a.conv.weight" not in content:
        raise BundleError(
            f"{path} is no InceptionResnetV1 of facenet-pytorch: expected conv2d_1a.conv.weight, "
            f"found {outline(content)}"
        )
    naming = Naming((Rule(r"network\.(.+)", r"\1"),), ignored=r"logits\.(?:weight|bias)")
    return translate(tensors_of(path, content), "heldout", CONFIG, naming)
