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
    from flows.photos import folder_or_setting

    if not is_url(photos) and not Path(photos).is_dir():
        raise FalcoError(f"{photos} is not a folder: name the folder that holds the photos")
    changes = _changes(settings) | ({"bundle": _bundle(bundle)} if bundle else {})
    run_project(out, *folder_or_setting(photos, changes))


def refresh(
    project: Annotated[Path, typer.Argument(help="Project folder, in a git repository")] = Path("falco-project"),
) -> None:
    """Make a new version of a project's dataset (a git tag dataset/vN) if any photo or parameter is new."""
    from flows.commands.running import refresh_project

    refresh_project(project)


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


def serve(
    projects: Annotated[list[Path], typer.Argument(help="Project folders")],
    cron: Annotated[
        str | None, typer.Option(help='When each is refreshed, as of cron: "0 3 * * *" is every night at three')
    ] = None,
    port: Annotated[int, typer.Option(help="Of the server's UI, on this machine alone")] = 4200,
    home: Annotated[Path | None, typer.Option(help="Where the server keeps its history and its password")] = None,
) -> None:
    """Run PROJECTS from Prefect's UI and on a schedule, until this is ended (Ctrl-C)."""
    from flows.commands.serving import serve_here

    serve_here(projects, cron, port, home)


def init(
    project: Annotated[Path, typer.Argument(help="Project folder")],
    photos: Annotated[str | None, typer.Option(help="Folder of photos, or its URL: s3://…")] = None,
    settings: Settings = None,
) -> None:
    """Make a project folder, or accept this falco version and bundle in an existing one."""
    from flows.photos import folder_or_setting
    from flows.project import init_project

    folder, changes = folder_or_setting(photos, _changes(settings))
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
    from flows.interrupts import end_with_watched
    from flows.server import set_apart

    if name not in [each.name for each in STAGES]:
        raise FalcoError(f"no stage {name!r}: choose from {', '.join(each.name for each in STAGES)}")
    root = Project.open(project).root
    end_with_watched()
    set_apart(root)
    # Imports Prefect, which looks at its settings then.
    from flows.stage import run_stage_by_itself

    print(run_stage_by_itself(name, root))


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
