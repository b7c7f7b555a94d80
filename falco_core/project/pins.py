"""pins.yaml: the code version and the networks that each stage of a project runs with."""

import hashlib
from collections.abc import Mapping

import yaml

from falco_core.errors import ProjectError
from falco_core.files import text_in, write_text
from falco_core.project.folder import Project, network_pin
from falco_core.project.stages import STAGES, Stage
from falco_core.strict_yaml import RefusedYaml, read_yaml

PINS_FILE = "pins.yaml"
_HEADER = "# Made by falco: the code version and networks each stage runs with. Do not edit.\n"
_FAILED = "+"
"""Between a pin and what stands for the failures that the stage had last."""


def pins(project: Project) -> dict[str, str]:
    """What pins.yaml must say: stage -> code version and digest of the networks it uses."""
    return {stage.name: _pin(project, stage) for stage in STAGES}


def write_pins(project: Project) -> None:
    """Write pins.yaml, so that DVC reruns what another bundle or another falco version would change."""
    _write(project, {})


def mark_pins(project: Project, failures: Mapping[str, str]) -> None:
    """Change the pins of stages (names) by what stands for their failures: DVC finds them changed then."""
    _write(project, failures)


def check_pins(project: Project, stage: Stage) -> None:
    """Raise ProjectError unless `stage` is about to run with what pins.yaml says."""
    if _plain(_written(project).get(stage.name, "")) != _pin(project, stage):
        raise ProjectError(
            f"{project.root / PINS_FILE} is not of this bundle and falco version: run `falco init {project.root}`, "
            "then again"
        )


def _pin(project: Project, stage: Stage) -> str:
    # By the bundle's own name, not by where it lies: dvc.lock is the same on every machine.
    whole = f"{project.spec.name} {project.spec.version} {network_pin(project.spec, stage)}"
    return f"v{stage.version}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


def _write(project: Project, failures: Mapping[str, str]) -> None:
    """Write the pins. A mark of earlier failures stays: to take it away would be a change, too."""
    before, now = _written(project), pins(project)
    for stage, pin in now.items():
        if stage in failures:
            now[stage] = f"{pin}{_FAILED}{failures[stage]}"
        elif _plain(before.get(stage, "")) == pin:
            now[stage] = before[stage]
    path, text = project.root / PINS_FILE, _HEADER + yaml.safe_dump(now, sort_keys=False)
    if text_in(path) != text:
        write_text(path, text)


def _written(project: Project) -> dict[str, str]:
    """What pins.yaml says; nothing where it is missing or not as falco writes it."""
    try:
        content = read_yaml(project.root / PINS_FILE)
    except (OSError, RefusedYaml):
        return {}
    return {str(stage): str(pin) for stage, pin in content.items()} if isinstance(content, dict) else {}


def _plain(pin: str) -> str:
    return pin.partition(_FAILED)[0]
