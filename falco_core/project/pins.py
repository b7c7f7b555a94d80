"""pins.yaml: the code version and the networks that each stage of a project runs with."""

import yaml

from falco_core.errors import ProjectError
from falco_core.project.folder import Project, network_pin
from falco_core.project.stages import STAGES, Stage

PINS_FILE = "pins.yaml"


def pins(project: Project) -> dict[str, str]:
    """What pins.yaml must say: stage -> code version and digest of the networks it uses."""
    return {stage.name: f"v{stage.version}-{network_pin(project.spec, stage)[:16]}" for stage in STAGES}


def write_pins(project: Project) -> None:
    """Write pins.yaml, so that DVC reruns what another bundle or another falco version would change."""
    path = project.root / PINS_FILE
    text = "# Made by falco: the code version and networks each stage runs with. Do not edit.\n"
    text += yaml.safe_dump(pins(project), sort_keys=False)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def check_pins(project: Project, stage: Stage) -> None:
    """Raise ProjectError unless `stage` is about to run with what pins.yaml says."""
    path = project.root / PINS_FILE
    written = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if written.get(stage.name) != pins(project)[stage.name]:
        raise ProjectError(
            f"{path} is not of this bundle and falco version: run `falco init {project.root}`, then again"
        )
