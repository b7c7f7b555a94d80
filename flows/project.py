"""Making a project folder: params.yaml, dvc.yaml, pins.yaml and a DVC repository."""

import hashlib
import io
import logging
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from falco_core.errors import BundleError, ProjectError
from falco_core.params import parse_params
from tasks.project import PARAMS_FILE, PINS_FILE, Project, write_pins
from tasks.stages import STAGES, Stage

DVC_FILE = "dvc.yaml"
VERIFIED = ".falco/bundle_verified"
OWN_FOLDERS = ("data", "reports", "release", ".falco", ".dvc")
"""What falco and DVC write in a project folder, and may delete."""
_PARAMS_HEADER = "# Every parameter of falco: docs/params.md says what each does. Unknown keys are errors.\n"
_DVC_HEADER = "# Made by `falco init` from tasks/stages.py. Do not edit: change params.yaml instead.\n"


def init_project(root: Path, *, photos: Path | None, changes: dict[str, Any] | None = None) -> Project:
    """Make `root` a falco project, or bring an existing one up to date; params.yaml keeps its values and comments.

    photos: the folder of photos (kept as it is if None); changes: dotted keys of params.yaml and new values. What
    cannot work is said before anything is written.
    """
    root = root.resolve()
    document = _document(root / PARAMS_FILE)
    wanted = {"input.photos": str(photos.resolve())} if photos is not None else {}
    for key, value in {**wanted, **(changes or {})}.items():
        _set(document, key.split("."), value, key)
    params = parse_params(_plain(document), source=str(root / PARAMS_FILE))
    project = Project(root, params)
    _ = project.pairing_space
    _check_places(project)
    _add_missing(document, params.model_dump(mode="json", by_alias=True))
    root.mkdir(parents=True, exist_ok=True)
    _write_if_changed(root / PARAMS_FILE, _text(document))
    _write_if_changed(root / DVC_FILE, dvc_yaml())
    write_pins(project)
    _init_dvc(root)
    return project


def check_bundle(project: Project) -> None:
    """Raise BundleError if the project's bundle is broken; looked at once for each state of its bundle.yaml.

    The files' digests stand in bundle.yaml and are checked whenever they are loaded.
    """
    from falco_core.bundles.verify import verify_bundle

    state = hashlib.sha256(project.spec.model_dump_json().encode()).hexdigest()
    seen = project.root / VERIFIED
    if seen.is_file() and seen.read_text(encoding="utf-8") == state:
        return
    for check in verify_bundle(project.bundle_source):
        if not check.ok:
            raise BundleError(
                f"the bundle {project.spec.name} is broken: {check.subject}: {check.detail}; "
                "see `falco models verify`, then fetch or convert it again"
            )
    seen.parent.mkdir(parents=True, exist_ok=True)
    seen.write_text(state, encoding="utf-8")


def dvc_yaml() -> str:
    """The text of dvc.yaml: the stage table in DVC's words."""
    stages = {stage.name: _dvc_stage(stage) for stage in STAGES}
    return _DVC_HEADER + yaml.safe_dump({"stages": stages}, sort_keys=False)


def demo_photos() -> Path:
    """The folder of demo photos that comes with the package."""
    return Path(str(files("falco_core"))) / "rendered" / "demo_photos"


def _dvc_stage(stage: Stage) -> dict[str, Any]:
    entry: dict[str, Any] = {"cmd": f"python -m flows.stage {stage.name}"}
    if stage.reads:
        entry["deps"] = list(stage.reads)
    entry["params"] = ["bundle", *stage.params, {PINS_FILE: [stage.name]}]
    if stage.writes:
        entry["outs"] = list(stage.writes)
    if stage.metrics:
        entry["metrics"] = list(stage.metrics)
    return entry


def _check_places(project: Project) -> None:
    """Photos and falco's own folders must not overlap: DVC empties a stage's outputs before it runs."""
    photos, root = project.photos.resolve(), project.root
    if root.is_relative_to(photos):
        raise ProjectError(f"{root} lies inside the photo folder {photos}: choose a project folder elsewhere")
    for name in OWN_FOLDERS:
        if photos.is_relative_to(root / name):
            raise ProjectError(f"{photos} lies where falco writes: move the photos out of {root / name}")
    if not (root / DVC_FILE).is_file():
        for stage in STAGES:
            for artifact in (*stage.writes, *stage.metrics):
                if (root / artifact).exists():
                    raise ProjectError(f"{root / artifact} is not falco's: choose another project folder")
    _check_readable(photos)


def _check_readable(photos: Path) -> None:
    """What DVC or the tables would stumble over, named in one line."""
    for path in photos.rglob("*"):
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise ProjectError(f"{str(path)!r}: this file name is not UTF-8: rename it") from None
        if not path.exists():
            raise ProjectError(f"{path} is a link to nothing: remove it")
        if not os.access(path, os.R_OK):
            raise ProjectError(f"{path} cannot be read: change its permissions or move it away")


def _document(path: Path) -> CommentedMap:
    """The user's params.yaml with its comments, or a new one."""
    if not path.is_file():
        document = CommentedMap({"input": CommentedMap()})
        document.yaml_set_start_comment(_PARAMS_HEADER.strip("# \n"))
        return document
    try:
        document = YAML().load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, CommentedMap):
        raise ProjectError(f"{path}: expected sections such as `align:`")
    return document


def _set(section: CommentedMap, parts: list[str], value: Any, key: str) -> None:
    for part in parts[:-1]:
        section = section.setdefault(part, CommentedMap())
        if not isinstance(section, CommentedMap):
            raise ProjectError(f"{key}: {part} is not a section of params.yaml")
    if parts[-1] not in section or section[parts[-1]] != value:
        section[parts[-1]] = value


def _add_missing(document: CommentedMap, complete: dict[str, Any]) -> None:
    """Write defaults out: DVC wants to find every key it watches."""
    for key, value in complete.items():
        if isinstance(value, dict):
            _add_missing(document.setdefault(key, CommentedMap()), value)
        else:
            document.setdefault(key, value)


def _plain(document: CommentedMap) -> Any:
    return yaml.safe_load(_text(document))


def _text(document: CommentedMap) -> str:
    stream = io.StringIO()
    writer = YAML()
    writer.width = 4096
    # Nulls are written as `null`, as users write them.
    writer.representer.add_representer(type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null"))
    writer.dump(document, stream)
    return stream.getvalue()


def _write_if_changed(path: Path, text: str) -> None:
    if not (path.is_file() and path.read_text(encoding="utf-8") == text):
        path.write_text(text, encoding="utf-8")


def _init_dvc(root: Path) -> None:
    if (root / ".dvc").is_dir():
        return
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        Repo.init(str(root), no_scm=True)
    except DvcException as error:
        raise ProjectError(f"{root}: DVC cannot be set up here: {error}") from None
