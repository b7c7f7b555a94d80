"""Making a project folder: params.yaml, dvc.yaml, pins.yaml, what keeps it private, and a DVC repository."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml.comments import CommentedMap

from falco_core.errors import BundleError, ProjectError
from falco_core.files import PRIVATE, text_in, write_text
from falco_core.project.document import add_missing, open_document, set_value, text_of
from falco_core.project.folder import PARAMS_FILE, Project
from falco_core.project.holding import check_dvc, holding
from falco_core.project.params import parse_params
from falco_core.project.pins import PINS_FILE, write_pins
from falco_core.project.places import DVC_FILE, check_any, check_places
from falco_core.project.private import check_folders, link_photos, make_folders_private, write_ignores
from falco_core.project.stages import PUBLIC, RELEASE, SHEETS, SIMILARITY_PLOT, STAGES, UTILITY_PLOT, Stage
from falco_core.project.standing import check_release, restore_release
from falco_core.project.upgrade import drop_left_overs, upgrade
from falco_core.strict_yaml import RefusedYaml, load_yaml
from flows.photos import FoundPhotos, bring_photos, find_photos
from flows.repository import PRIVATE_REMOTE, PUBLIC_REMOTE, init_repository

VERIFIED = ".falco/bundle_verified"
DVC_WRITTEN = ".falco/dvc.yaml.written"
"""dvc.yaml as falco wrote it last: tells what somebody changed by hand."""
_DVC_HEADER = "# Made by `falco init` from falco_core/project/stages.py. Do not edit: change params.yaml instead.\n"


Setting = str | int | float | bool | list[str] | None
"""A value of params.yaml."""

_SHOWN: dict[str, Any] = {
    "plots": [
        {
            "similarity": {
                "title": "Faces by their similarity to the original, before and after",
                "x": "similarity",
                "y": {SIMILARITY_PLOT: ["before", "after"]},
                "x_label": "recogniser cosine to the original",
                "y_label": "share of faces",
            }
        },
        {
            "privacy_utility": {
                "title": "What stays of the attributes, by similarity to the original",
                "template": "scatter",
                "x": "similarity",
                "y": {UTILITY_PLOT: "attribute_similarity"},
                "x_label": "recogniser cosine to the original (less is more private)",
                "y_label": "FaRL cosine to the original (more is more useful)",
            }
        },
        {SHEETS: None},
    ],
    "artifacts": {
        "release": {
            "path": RELEASE,
            "type": "dataset",
            "desc": "Photos whose faces are anonymized, audited, with their manifest",
            "labels": ["faces", "anonymized"],
        }
    },
}
"""What `dvc plots` draws of a version (the contact sheets show originals: they stay here), and what is handed out."""


@dataclass(frozen=True)
class Plan:
    """What a project will be: nothing of it is written yet."""

    project: Project
    document: CommentedMap
    said: str | None
    found: FoundPhotos


def plan_project(root: Path, *, photos: Path | None, changes: Mapping[str, Any] | None = None) -> Plan:
    """Everything that can be said against a project before anything is written or started; raises FalcoError.

    photos: the folder of photos (kept as it is if None); changes: dotted keys of params.yaml and new values.
    """
    root = root.resolve()
    document = open_document(root / PARAMS_FILE)
    said = upgrade(document)
    wanted = {"input.photos": str(photos.resolve())} if photos is not None else {}
    for key, value in {**wanted, **(changes or {})}.items():
        set_value(document, key.split("."), value, key)
    params = parse_params(_plain(document, root / PARAMS_FILE), source=str(root / PARAMS_FILE))
    project = Project(root, params)
    _ = project.pairing_space
    check_places(project)
    check_folders(root)
    project.check_store()
    check_release(root)
    if said is None and not _is_ours(root / DVC_FILE):
        raise ProjectError(f"{root / DVC_FILE} is not falco's: choose another project folder")
    add_missing(document, params.model_dump(mode="json", by_alias=True))
    return Plan(project, document, said, find_photos(project))


def init_project(root: Path, *, photos: Path | None, changes: dict[str, Any] | None = None) -> Project:
    """Make `root` a falco project, or bring an existing one up to date; params.yaml keeps its values and comments.

    photos and changes as of `plan_project`, which says what cannot work before anything is written. Raises
    ProjectError if somebody else is at work on the project.
    """
    plan_project(root, photos=photos, changes=changes)
    make_root(root)
    with holding(root.resolve()):
        check_dvc(root.resolve())
        plan = plan_project(root, photos=photos, changes=changes)
        write_project(plan)
    return plan.project


@contextmanager
def prepared(
    root: Path, photos: Path | None, changes: Mapping[str, Any], *, patience: float = 0.0
) -> Iterator[Project]:
    """Hold a project while the block runs: made or brought up to date as by `init_project`, its photos and its bundle
    looked at. patience: seconds to wait for whoever holds it.
    """
    root = root.resolve()
    check_photos(plan_project(root, photos=photos, changes=changes))
    make_root(root)
    with holding(root, patience=patience):
        check_dvc(root)
        plan = plan_project(root, photos=photos, changes=changes)
        write_project(plan)
        check_bundle(plan.project)
        yield plan.project


def make_root(root: Path) -> None:
    """Make the project folder, for its owner alone; one that is there stays as it is."""
    if not root.exists():
        root.mkdir(mode=PRIVATE, parents=True)


def write_project(plan: Plan) -> None:
    """Write what was planned; whoever calls holds the project."""
    project = plan.project
    root = project.root
    if plan.said is not None:
        drop_left_overs(root)
        print(plan.said, flush=True)
    make_folders_private(root)
    photos = bring_photos(project, plan.found)
    write_ignores(root, photos.resolve(), plan.found.passed_over)
    link_photos(root, photos)
    _write_if_changed(root / PARAMS_FILE, text_of(plan.document))
    _write_dvc_yaml(root)
    write_pins(project)
    restore_release(root)
    init_repository(root)
    make_folders_private(root)


def check_photos(plan: Plan) -> None:
    """Raise ProjectError if there is no photo."""
    place = plan.project.photos_url or plan.project.photos
    check_any(place, plan.found.photos, plan.found.passed_over)


def check_bundle(project: Project) -> None:
    """Raise BundleError if the project's bundle is broken; looked at once for each state of its bundle.yaml.

    The files' digests stand in bundle.yaml and are checked whenever they are loaded.
    """
    from falco_core.bundles.verify import verify_bundle

    state = hashlib.sha256(project.spec.model_dump_json().encode()).hexdigest()
    seen = project.root / VERIFIED
    if text_in(seen) == state:
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
    return _DVC_HEADER + yaml.safe_dump({"stages": stages, **_SHOWN}, sort_keys=False)


def _dvc_stage(stage: Stage) -> dict[str, Any]:
    # The installed command: `python -m` would put the project folder first on the path, and run what lies there.
    entry: dict[str, Any] = {"cmd": f"falco stage {stage.name}"}
    if stage.reads:
        entry["deps"] = list(stage.reads)
    entry["params"] = [*stage.params, {PINS_FILE: [stage.name]}]
    if stage.writes:
        # Each output has its remote: DVC takes none of it to another one, whatever is the default or named with -r.
        entry["outs"] = [{name: {"remote": _remote(name)}} for name in stage.writes]
    for kind, names in (("metrics", stage.metrics), ("plots", stage.plots)):
        if names:
            entry[kind] = [{name: {"cache": False}} for name in names]
    return entry


def _remote(output: str) -> str:
    return PUBLIC_REMOTE if output in PUBLIC else PRIVATE_REMOTE


def _plain(document: CommentedMap, source: Path) -> Any:
    """The document as plain values."""
    try:
        return load_yaml(text_of(document))
    except RefusedYaml as error:
        raise ProjectError(f"{source}: {error}") from None


def _is_ours(path: Path) -> bool:
    """Whether there is no pipeline, or one that falco made."""
    return not path.exists() or text_in(path).startswith(_DVC_HEADER)


def _write_dvc_yaml(root: Path) -> None:
    """Write dvc.yaml anew; what somebody changed in it by hand is put aside, with a word, and never run."""
    path, written, text = root / DVC_FILE, root / DVC_WRITTEN, dvc_yaml()
    if path.is_file() and written.is_file() and text_in(path) not in (text, text_in(written)):
        aside = path.with_name(f"{DVC_FILE}.edited")
        path.replace(aside)
        print(f"note: {path} was changed by hand and is made anew; the changes are in {aside.name}", flush=True)
    _write_if_changed(path, text)
    _write_if_changed(written, text)


def _write_if_changed(path: Path, text: str) -> None:
    if text_in(path) != text:
        write_text(path, text)
