"""From a set of published checkpoint files to a bundle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from falco_core.bundles.catalogue import sha256_of
from falco_core.bundles.official.checkpoint import read_checkpoint
from falco_core.bundles.official.facenet import convert_heldout
from falco_core.bundles.official.irse import convert_encoder, convert_recogniser
from falco_core.bundles.official.strangers import calibrate_thresholds
from falco_core.bundles.official.stylegan2 import convert_generator
from falco_core.bundles.official.towers import convert_clip, convert_dino, convert_farl
from falco_core.bundles.official.translate import Converted
from falco_core.bundles.save import network_entry, save_weights, write_spec
from falco_core.bundles.spec import BundleSpec, Thresholds
from falco_core.errors import BundleError, first_line
from falco_core.networks.config import EncoderConfig, GeneratorConfig

PUBLISHED_LEARNING_RATE = 0.01
PUBLISHED_LAYERS = (3, 8)

Say = Callable[[str], None]


@dataclass(frozen=True)
class OfficialFiles:
    """Where the published files lie; without `generator`, the decoder inside e4e's file is taken."""

    encoder: Path
    recogniser: Path
    farl: Path
    heldout: Path
    generator: Path | None = None
    clip: Path | None = None
    dino: Path | None = None

    def by_network(self) -> dict[str, Path]:
        """The file of each network that there is one for."""
        files = {**vars(self), "generator": self.generator or self.encoder}
        return {name: path for name, path in files.items() if path is not None}


@dataclass(frozen=True)
class About:
    """What bundle.yaml says of the bundle as a whole."""

    name: str
    version: str = "1"
    licence: str = "as of the published files"


def convert_bundle(files: OfficialFiles, folder: Path, about: About, *, say: Say = print) -> BundleSpec:
    """Write the bundle `folder`, which must not exist, from published files.

    Nothing of `folder` is there before all of it is. Each file is read, checked and written before the next, so that
    memory holds one network at a time. Raises BundleError in one line that names the file and key.
    """
    if folder.exists():
        raise BundleError(f"{folder} exists: name a new folder, or remove it first")
    partial = folder.with_name(f".{folder.name}.partial")
    rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        spec = _convert_into(partial, files, about, say)
        partial.replace(folder)
    finally:
        rmtree(partial, ignore_errors=True)
    return spec


def convert_file(network: str, path: Path) -> list[Converted]:
    """The networks that the file given as `network` holds; raises BundleError."""
    content = read_checkpoint(path)
    try:
        return _CONVERTERS[network](path, content)
    except (ValueError, IndexError) as error:
        raise BundleError(f"{path}: shapes that no published {network} has: {first_line(error)}") from None


def _convert_into(folder: Path, files: OfficialFiles, about: About, say: Say) -> BundleSpec:
    entries: dict[str, dict[str, Any]] = {}
    layers: dict[str, int] = {}
    for network, path in files.by_network().items():
        say(f"{network}: {path}")
        source = f"{path.name}, sha256 {sha256_of(path) if path.is_file() else ''}"
        for made in convert_file(network, path):
            if isinstance(made.config, GeneratorConfig | EncoderConfig):
                layers[network] = made.config.num_layers
                _check_layers(layers, files)
            target = folder / f"{made.network}.safetensors"
            entries[made.network] = network_entry(
                made.config, target, save_weights(made.weights, target), source=source
            )
    say("thresholds: comparing generated strangers")
    spec = _spec(about, entries, Thresholds(recogniser=1.0, heldout=1.0), layers["generator"])
    write_spec(spec, folder)
    spec = spec.model_copy(update={"thresholds": calibrate_thresholds(folder)})
    write_spec(spec, folder)
    return spec


def _spec(about: About, entries: dict[str, dict[str, Any]], thresholds: Thresholds, layers: int) -> BundleSpec:
    first, last = PUBLISHED_LAYERS
    return BundleSpec.model_validate(
        {
            **vars(about),
            "source": "converted from published files by `falco models convert`",
            "optimize_layers": (first, min(last, layers - 1)),
            "learning_rate": PUBLISHED_LEARNING_RATE,
            "thresholds": thresholds.model_dump(),
            "networks": entries,
        }
    )


def _check_layers(layers: Mapping[str, int], files: OfficialFiles) -> None:
    if len(set(layers.values())) > 1:
        raise BundleError(
            f"{files.encoder} makes codes of {layers['encoder']} layers, {files.generator} reads "
            f"{layers['generator']}: give files of one resolution"
        )


_CONVERTERS: dict[str, Callable[[Path, Mapping[str, Any]], list[Converted]]] = {
    "generator": lambda path, content: [convert_generator(path, content)],
    "encoder": lambda path, content: [convert_encoder(path, content)],
    "recogniser": lambda path, content: [convert_recogniser(path, content)],
    "heldout": lambda path, content: [convert_heldout(path, content)],
    "farl": convert_farl,
    "clip": convert_clip,
    "dino": convert_dino,
}
