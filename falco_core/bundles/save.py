"""Writing bundles."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from falco_core.bundles.catalogue import SPEC_FILE, load_spec, sha256_of
from falco_core.bundles.spec import BundleSpec, StepRule, Thresholds
from falco_core.errors import BundleError, first_line, one_line
from falco_core.networks.arcface import Recogniser
from falco_core.networks.config import NetworkConfig
from falco_core.networks.e4e import Encoder
from falco_core.networks.farl import Farl
from falco_core.networks.heldout import HeldOutRecogniser
from falco_core.networks.probe import Probe
from falco_core.networks.start import Start
from falco_core.networks.stylegan2 import Generator


def save_weights(weights: Mapping[str, Tensor], path: Path) -> str:
    """Write tensors as a safetensors file, whole or not at all, and return the file's sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        save_file({key: tensor.contiguous() for key, tensor in weights.items()}, partial)
        # safetensors makes files that only their maker can read.
        partial.chmod(0o644)
        sha256 = sha256_of(partial)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path} cannot be written: {first_line(error)}") from None
    finally:
        partial.unlink(missing_ok=True)
    return sha256


def save_network(module: nn.Module, path: Path, *, half: bool) -> str:
    """Write a network's weights (floats as 16 bit if `half`) and return the file's sha256."""
    weights = {
        key: (tensor.half() if half and tensor.is_floating_point() else tensor).cpu()
        for key, tensor in module.state_dict().items()
    }
    return save_weights(weights, path)


def network_entry(config: NetworkConfig, path: Path, sha256: str, *, source: str = "") -> dict[str, Any]:
    """What bundle.yaml says of one network."""
    entry = {"config": config.model_dump(mode="json"), "file": path.name, "sha256": sha256}
    return {**entry, "source": source} if source else entry


def write_spec(spec: BundleSpec, folder: Path) -> None:
    """Write `folder`/bundle.yaml."""
    document = spec.model_dump(mode="json", exclude_defaults=True)
    for name, network in spec.networks.present().items():
        # Sizes in full, so that a bundle's page can be read without falco's defaults.
        document["networks"][name]["config"] = network.config.model_dump(mode="json")
    partial = folder / f".{SPEC_FILE}.partial"
    partial.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    partial.replace(folder / SPEC_FILE)


def save_bundle(
    folder: Path,
    *,
    name: str,
    version: str,
    licence: str,
    source: str,
    optimize_layers: tuple[int, int],
    learning_rate: float,
    thresholds: Thresholds,
    generator: Generator,
    encoder: Encoder,
    recogniser: Recogniser,
    heldout: HeldOutRecogniser,
    farl: Farl,
    probe: Probe | None = None,
    step_rule: StepRule | None = None,
    half: bool = False,
) -> BundleSpec:
    """Write a complete bundle to `folder` and return what its bundle.yaml says."""
    modules: list[tuple[str, nn.Module, NetworkConfig]] = [
        ("generator", generator, generator.config),
        ("encoder", encoder, encoder.config),
        ("recogniser", recogniser, recogniser.config),
        ("heldout", heldout, heldout.config),
        ("farl", farl, farl.config),
    ]
    if probe is not None:
        modules.append(("probe", probe, probe.config))
    networks = {}
    for key, module, sizes in modules:
        path = folder / f"{key}.safetensors"
        networks[key] = network_entry(sizes, path, save_network(module, path, half=half))
    spec = BundleSpec.model_validate(
        {
            "name": name,
            "version": version,
            "licence": licence,
            "source": source,
            "optimize_layers": optimize_layers,
            "learning_rate": learning_rate,
            "step_rule": step_rule,
            "thresholds": thresholds.model_dump(),
            "networks": networks,
        }
    )
    write_spec(spec, folder)
    return spec


def rule_to_begin(spec: BundleSpec, folder: Path) -> StepRule:
    """The step rule that a start is for; raises BundleError where the bundle has none."""
    if spec.step_rule is None:
        raise BundleError(f"{folder}: a start needs a bundle with a step_rule")
    return spec.step_rule


def add_start(folder: Path, start: Start, *, steps: int) -> BundleSpec:
    """Let a bundle that has a step rule begin with `start` and take `steps` from there; returns its new description.

    Raises BundleError, and changes nothing, where the start does not fit the bundle.
    """
    spec = load_spec(folder)
    rule_to_begin(spec, folder)
    path = folder / "start.safetensors"
    document = spec.model_dump()
    document["step_rule"]["steps_from_start"] = steps
    document["networks"]["start"] = network_entry(start.config, path, "0" * 64)
    try:
        BundleSpec.model_validate(document)
    except ValidationError as error:
        raise BundleError(f"{folder}: {one_line(error.errors()[0]['msg'])}") from None
    document["networks"]["start"] = network_entry(start.config, path, save_network(start, path, half=True))
    changed = BundleSpec.model_validate(document)
    write_spec(changed, folder)
    return changed
