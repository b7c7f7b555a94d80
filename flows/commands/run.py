"""`falco run`, `demo`, `init`, `stage`: projects and what is done in them."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from falco_core.errors import FalcoError, shown
from falco_core.store.place import is_url
from falco_core.strict_yaml import RefusedYaml, load_yaml

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-S", help="Change a key of params.yaml, e.g. -S anonymize.margin=0.3"),
]


def run(
    photos: Annotated[str, typer.Argument(help="Folder of photos (searched with its sub-folders), or its URL: s3://…")],
    out: Annotated[Path, typer.Option(help="Project folder; made if there is none")] = Path("falco-project"),
    bundle: Annotated[str | None, typer.Option(help="A bundle's name or folder")] = None,
    settings: Settings = None,
) -> None:
    """Anonymize PHOTOS: the release is DIR/release, everything private stays in DIR/data and DIR/reports."""
    from flows.commands.running import run_project

    if not is_url(photos) and not Path(photos).is_dir():
        raise FalcoError(f"{photos} is not a folder: name the folder that holds the photos")
    changes = _changes(settings) | ({"bundle": _bundle(bundle)} if bundle else {})
    run_project(out, *_photos(photos, changes))


def demo(
    out: Annotated[Path, typer.Option(help="Project folder of the demo")] = Path("falco-demo"),
    settings: Settings = None,
) -> None:
    """Anonymize the demo photos that come with falco (rendered people, nobody real)."""
    from falco_core.project.holding import holding
    from falco_rendered.demo import demo_photos
    from flows.commands.running import run_project
    from flows.project import make_root

    make_root(out.resolve())
    with holding(out.resolve()):
        photos = out / "photos"
        shutil.copytree(demo_photos(), photos, dirs_exist_ok=True)
        run_project(out, photos, _changes(settings))


def init(
    project: Annotated[Path, typer.Argument(help="Project folder")],
    photos: Annotated[str | None, typer.Option(help="Folder of photos, or its URL: s3://…")] = None,
    settings: Settings = None,
) -> None:
    """Make a project folder, or accept this falco version and bundle in an existing one."""
    from flows.project import init_project

    folder, changes = _photos(photos, _changes(settings))
    made = init_project(project, photos=folder, changes=changes)
    print(f"project: {made.root}")


def stage(
    name: Annotated[
        str, typer.Argument(help="align, invert, sample, pair, anonymize, compose, validate, gate, release")
    ],
    project: Annotated[Path, typer.Option(help="Project folder")] = Path(),
) -> None:
    """Run one stage by itself, as dvc.yaml does (it reads what the stages before it left)."""
    from falco_core.project.folder import Project
    from falco_core.project.stages import STAGES
    from flows.server import set_apart

    if name not in [each.name for each in STAGES]:
        raise FalcoError(f"no stage {name!r}: choose from {', '.join(each.name for each in STAGES)}")
    root = Project.open(project).root
    set_apart(root)
    # Imports Prefect, which looks at its settings then.
    from flows.stage import run_stage_by_itself

    print(run_stage_by_itself(name, root))


def _photos(photos: str | None, changes: dict[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """The folder of photos, and the changes of parameters with the URL of photos that lie elsewhere."""
    if photos is None or not is_url(photos):
        return Path(photos) if photos is not None else None, changes
    return None, {**changes, "input.photos": photos}


def _bundle(name_or_folder: str) -> str:
    # A folder is named from here, but read from the project folder.
    folder = Path(name_or_folder)
    return str(folder.resolve()) if (folder / "bundle.yaml").is_file() else name_or_folder


def _changes(settings: list[str] | None) -> dict[str, Any]:
    changes = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals:
            raise FalcoError(f"--set {shown(setting)}: expected KEY=VALUE, such as anonymize.margin=0.3")
        try:
            changes[key] = load_yaml(value)
        except RefusedYaml as error:
            raise FalcoError(f"--set {shown(setting)}: no value: {error}") from None
    return changes
