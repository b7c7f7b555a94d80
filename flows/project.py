"""Making a project folder: params.yaml, dvc.yaml, pins.yaml and a DVC repository."""

import logging
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

from falco_core.errors import ProjectError
from falco_core.params import parse_params
from tasks.project import PARAMS_FILE, PINS_FILE, Project, write_pins
from tasks.stages import STAGES, Stage

DVC_FILE = "dvc.yaml"
_PARAMS_HEADER = "# Every parameter of falco: docs/params.md says what each does. Unknown keys are errors.\n"
_DVC_HEADER = "# Made by `falco init` from tasks/stages.py. Do not edit: change params.yaml instead.\n"


def init_project(root: Path, *, photos: Path | None, changes: dict[str, Any] | None = None) -> Project:
    """Make `root` a falco project, or bring an existing one up to date; keeps its params.yaml but for `changes`.

    photos: the folder of photos (kept as it is if None); changes: dotted keys of params.yaml and new values.
    """
    params = _params(root, photos, changes or {})
    checked = parse_params(params, source=str(root / PARAMS_FILE))
    # What cannot work is said before anything is written.
    project = Project(root.resolve(), checked)
    _ = project.spec
    if root.resolve().is_relative_to(project.photos.resolve()):
        raise ProjectError(f"{root} lies inside the photo folder {project.photos}: choose a project folder elsewhere")
    root.mkdir(parents=True, exist_ok=True)
    text = _PARAMS_HEADER + yaml.safe_dump(
        checked.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True
    )
    _write_if_changed(root / PARAMS_FILE, text, keep=_same(root / PARAMS_FILE, params))
    _write_if_changed(root / DVC_FILE, dvc_yaml())
    write_pins(project)
    _init_dvc(root)
    return project


def dvc_yaml() -> str:
    """The text of dvc.yaml: the stage table in DVC's words."""
    stages = {stage.name: _dvc_stage(stage) for stage in STAGES}
    return _DVC_HEADER + yaml.safe_dump({"stages": stages}, sort_keys=False)


def _dvc_stage(stage: Stage) -> dict[str, Any]:
    entry: dict[str, Any] = {"cmd": f"python -m flows.stage {stage.name}"}
    if stage.reads:
        entry["deps"] = list(stage.reads)
    entry["params"] = [*stage.params, {PINS_FILE: [stage.name]}]
    entry["outs"] = list(stage.writes)
    if stage.metrics:
        entry["metrics"] = list(stage.metrics)
    return entry


def _params(root: Path, photos: Path | None, changes: dict[str, Any]) -> dict[str, Any]:
    path = root / PARAMS_FILE
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {"input": {}}
    except yaml.YAMLError as error:
        raise ProjectError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(params, dict):
        raise ProjectError(f"{path}: expected sections such as `align:`")
    if photos is not None:
        changes = {"input.photos": str(photos.resolve()), **changes}
    for key, value in changes.items():
        _set(params, key.split("."), value, key)
    return params


def _set(params: dict[str, Any], parts: list[str], value: Any, key: str) -> None:
    for part in parts[:-1]:
        params = params.setdefault(part, {})
        if not isinstance(params, dict):
            raise ProjectError(f"{key}: {part} is not a section of params.yaml")
    params[parts[-1]] = value


def _same(path: Path, params: dict[str, Any]) -> bool:
    """Whether the file already says `params`, perhaps with its owner's comments: then it is left alone."""
    return path.is_file() and bool(yaml.safe_load(path.read_text(encoding="utf-8")) == params)


def _write_if_changed(path: Path, text: str, *, keep: bool = False) -> None:
    if not keep and not (path.is_file() and path.read_text(encoding="utf-8") == text):
        path.write_text(text, encoding="utf-8")


def _init_dvc(root: Path) -> None:
    if (root / ".dvc").is_dir():
        return
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        Repo.init(str(root), no_scm=True)
    except DvcException as error:
        raise ProjectError(f"{root}: DVC cannot be set up here: {error}") from None
    (root / ".dvcignore").touch()


def demo_photos() -> Path:
    """The folder of demo photos that comes with the package."""
    return Path(str(files("falco_core"))) / "rendered" / "demo_photos"
