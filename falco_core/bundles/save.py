"""Writing bundles."""

import hashlib
from pathlib import Path

import yaml
from safetensors.torch import save
from torch import nn

from falco_core.bundles.catalogue import SPEC_FILE
from falco_core.bundles.spec import BundleSpec, Thresholds
from falco_core.networks.arcface import Recogniser
from falco_core.networks.config import NetworkConfig
from falco_core.networks.e4e import Encoder
from falco_core.networks.farl import Farl
from falco_core.networks.heldout import HeldOutRecogniser
from falco_core.networks.stylegan2 import Generator


def save_network(module: nn.Module, path: Path, *, half: bool) -> str:
    """Write a network's weights (floats as 16 bit if `half`) and return the file's sha256."""
    weights = {
        key: (tensor.half() if half and tensor.is_floating_point() else tensor).contiguous().cpu()
        for key, tensor in module.state_dict().items()
    }
    data = save(weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
    return hashlib.sha256(data).hexdigest()


def save_bundle(
    folder: Path,
    *,
    name: str,
    version: str,
    licence: str,
    source: str,
    optimize_layers: tuple[int, int],
    thresholds: Thresholds,
    generator: Generator,
    encoder: Encoder,
    recogniser: Recogniser,
    heldout: HeldOutRecogniser,
    farl: Farl,
    half: bool = False,
) -> BundleSpec:
    """Write a complete bundle to `folder` and return what its bundle.yaml says."""
    modules: tuple[tuple[str, nn.Module, NetworkConfig], ...] = (
        ("generator", generator, generator.config),
        ("encoder", encoder, encoder.config),
        ("recogniser", recogniser, recogniser.config),
        ("heldout", heldout, heldout.config),
        ("farl", farl, farl.config),
    )
    networks = {}
    for key, module, sizes in modules:
        sha256 = save_network(module, folder / f"{key}.safetensors", half=half)
        config = sizes.model_dump(mode="json")
        networks[key] = {"config": config, "file": f"{key}.safetensors", "sha256": sha256}
    spec = BundleSpec.model_validate(
        {
            "name": name,
            "version": version,
            "licence": licence,
            "source": source,
            "optimize_layers": optimize_layers,
            "thresholds": thresholds.model_dump(),
            "networks": networks,
        }
    )
    text = yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False)
    (folder / SPEC_FILE).write_text(text, encoding="utf-8")
    return spec
