"""Making a project folder: params.yaml, dvc.yaml, pins.yaml and a DVC repository."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

from falco_core.errors import BundleError, ProjectError
from falco_core.project.document import add_missing, open_document, set_value, text_of
from falco_core.project.folder import PARAMS_FILE, Project
from falco_core.project.params import parse_params
from falco_core.project.pins import PINS_FILE, write_pins
from falco_core.project.places import DVC_FILE, check_places
from falco_core.project.stages import STAGES, Stage
from falco_core.project.upgrade import drop_left_overs, upgrade

VERIFIED = ".falco/bundle_verified"
DVC_STATE = ".falco/dvc"
_DVC_HEADER = "# Made by `falco init` from falco_core/project/stages.py. Do not edit: change params.yaml instead.\n"


def init_project(root: Path, *, photos: Path | None, changes: dict[str, Any] | None = None) -> Project:
    """Make `root` a falco project, or bring an existing one up to date; params.yaml keeps its values and comments.

    photos: the folder of photos (kept as it is if None); changes: dotted keys of params.yaml and new values. What
    cannot work is said before anything is written.
    """
    root = root.resolve()
    document = open_document(root / PARAMS_FILE)
    said = upgrade(document)
    wanted = {"input.photos": str(photos.resolve())} if photos is not None else {}
    for key, value in {**wanted, **(changes or {})}.items():
        set_value(document, key.split("."), value, key)
    params = parse_params(yaml.safe_load(text_of(document)), source=str(root / PARAMS_FILE))
    project = Project(root, params)
    _ = project.pairing_space
    check_places(project)
    add_missing(document, params.model_dump(mode="json", by_alias=True))
    root.mkdir(parents=True, exist_ok=True)
    if said is not None:
        drop_left_overs(root)
        print(said, flush=True)
    _write_if_changed(root / PARAMS_FILE, text_of(document))
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


def _write_if_changed(path: Path, text: str) -> None:
    if not (path.is_file() and path.read_text(encoding="utf-8") == text):
        path.write_text(text, encoding="utf-8")


def _init_dvc(root: Path) -> None:
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        repo = Repo(str(root)) if (root / ".dvc").is_dir() else Repo.init(str(root), no_scm=True)
        with repo, repo.config.edit("repo") as config:
            _set_options(config, core={"analytics": False, "autostage": False, "check_update": False})
            # Whatever the user's own configuration says: one copy of everything where the file system can link.
            _set_options(config, cache={"type": ["reflink", "hardlink", "copy"]})
        with repo, repo.config.edit("local") as config:
            # DVC remembers paths of photos, by default in a place that everybody can read.
            _set_options(config, core={"site_cache_dir": str(root / DVC_STATE)})
    except DvcException as error:
        raise ProjectError(f"{root}: DVC cannot be set up here: {error}") from None


def _set_options(config: dict[str, Any], **sections: dict[str, Any]) -> None:
    for name, options in sections.items():
        config[name] = {**config.get(name, {}), **options}
