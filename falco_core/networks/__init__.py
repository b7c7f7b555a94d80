"""The networks in inference form. Images are RGB in [-1, 1]; each network crops, resizes and normalizes itself."""

from falco_core.networks.arcface import Recogniser, RecogniserConfig
from falco_core.networks.e4e import Encoder, EncoderConfig
from falco_core.networks.farl import Farl, FarlConfig
from falco_core.networks.heldout import HeldOutConfig, HeldOutRecogniser
from falco_core.networks.stylegan2 import Generator, GeneratorConfig

__all__ = [
    "Encoder",
    "EncoderConfig",
    "Farl",
    "FarlConfig",
    "Generator",
    "GeneratorConfig",
    "HeldOutConfig",
    "HeldOutRecogniser",
    "Recogniser",
    "RecogniserConfig",
]
