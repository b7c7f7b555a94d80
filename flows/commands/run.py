"""`falco run`, `demo`, `init`, `stage`: projects and what is done in them."""

import os
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from falco_core.errors import FalcoError

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-S", help="Change a key of params.yaml, e.g. -S anonymize.margin=0.3"),
]


def run(
    photos: Annotated[Path, typer.Argument(help="Folder of photos (searched with its sub-folders)")],
    out: Annotated[Path, typer.Option(help="Project folder; made if there is none")] = Path("falco-project"),
    bundle: Annotated[str | None, typer.Option(help="A bundle's name or folder")] = None,
    settings: Settings = None,
) -> None:
    """Anonymize PHOTOS: the release is DIR/release, everything private stays in DIR/data and DIR/reports."""
    if not photos.is_dir():
        raise FalcoError(f"{photos} is not a folder: name the folder that holds the photos")
    changes = _changes(settings) | ({"bundle": _bundle(bundle)} if bundle else {})
    run_project(out, photos, changes)


def demo(
    out: Annotated[Path, typer.Option(help="Project folder of the demo")] = Path("falco-demo"),
    settings: Settings = None,
) -> None:
    """Anonymize the demo photos that come with falco (rendered people, nobody real)."""
    from falco_rendered.demo import demo_photos

    photos = out / "photos"
    shutil.copytree(demo_photos(), photos, dirs_exist_ok=True)
    run_project(out, photos, _changes(settings))


def init(
    project: Annotated[Path, typer.Argument(help="Project folder")],
    photos: Annotated[Path | None, typer.Option(help="Folder of photos")] = None,
    settings: Settings = None,
) -> None:
    """Make a project folder, or accept this falco version and bundle in an existing one."""
    from flows.project import init_project

    made = init_project(project, photos=photos, changes=_changes(settings))
    print(f"project: {made.root}")


def stage(
    name: Annotated[str, typer.Argument(help="align, invert, sample, pair, anonymize, compose, validate, release")],
    project: Annotated[Path, typer.Option(help="Project folder")] = Path(),
) -> None:
    """Run one stage by itself, without DVC (it reads what the stages before it left)."""
    from falco_core.project.stages import STAGES
    from flows.stage import run_stage
    from tasks.batches import execute_here

    if name not in [each.name for each in STAGES]:
        raise FalcoError(f"no stage {name!r}: choose from {', '.join(each.name for each in STAGES)}")
    print(run_stage(name, project.resolve(), execute_here))


def run_project(out: Path, photos: Path | None, changes: dict[str, Any]) -> None:
    """Bring a project up to date and print its summary; photos: None for those it has."""
    # Prefect's own log lines repeat what falco prints; a user who wants them sets the level.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    from flows.anonymize_dataset import StageFailed, anonymize_dataset
    from flows.project import check_bundle, init_project
    from flows.summary import summarize

    project = init_project(out, photos=photos, changes=changes)
    check_bundle(project)
    try:
        anonymize_dataset(project.root)
    except StageFailed as error:
        if error.stage == "release":
            # The gate is closed: what was found out is worth reading all the same.
            print(summarize(project, released=False))
        raise
    print(summarize(project, released=True))


def _bundle(name_or_folder: str) -> str:
    # A folder is named from here, but read from the project folder.
    folder = Path(name_or_folder)
    return str(folder.resolve()) if (folder / "bundle.yaml").is_file() else name_or_folder


def _changes(settings: list[str] | None) -> dict[str, Any]:
    changes = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals:
            raise FalcoError(f"--set {setting}: expected KEY=VALUE, such as anonymize.margin=0.3")
        changes[key] = yaml.safe_load(value)
    return changes
