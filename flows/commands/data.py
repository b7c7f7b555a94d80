"""`falco show`, `audit`, `forget`, `gc`: what a project keeps, what it hands on, and how it goes."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from falco_core.errors import ProjectError
from falco_core.project.folder import Project
from falco_core.project.stages import FACES, RELEASE

NOT_CLEAN = 3
"""Exit code of an audit that found something."""
InProject = Annotated[Path, typer.Option(help="Project folder")]


def show(
    what: Annotated[str, typer.Argument(metavar="FACE|PHOTO", help="A face's id, or a photo's path in its folder")],
    to: Annotated[Path, typer.Option(help="PNG file to draw into")] = Path("shown.png"),
    project: InProject = Path("falco-project"),
) -> None:
    """Draw what is kept of a face or photo (private: it shows originals)."""
    from falco_core.report.sheet import draw_pairs, draw_pictures
    from falco_core.report.show import faces_of, show_face, show_photo

    opened = Project.open(project)
    if not opened.path(FACES).is_dir():
        raise ProjectError(f"{opened.root} has not been run yet: `falco run PHOTOS --out {project}`")
    if faces := faces_of(opened, what):
        draw_pairs([show_photo(opened, what)]).save(to)
        print("\n".join(faces))
    else:
        shown = show_face(opened, what)
        draw_pictures(shown.pictures).save(to)
        print("\n".join(shown.lines))
    print(f"drawn: {to}")


def audit(
    folder: Annotated[Path, typer.Argument(help="Folder that is to be handed on, such as PROJECT/release")],
) -> None:
    """Look into every file of FOLDER for anything but its picture and falco's mark; exit code 3 if there is any."""
    from falco_core.release.audit import audit_folder

    number = 0
    for finding in audit_folder(folder):
        print(finding)
        number += 1
    if number:
        print(f"{number} findings: hand nothing on before each is explained")
        raise typer.Exit(NOT_CLEAN)
    print(f"nothing in {folder} but pictures, falco's mark and its manifest")


def forget(
    photos: Annotated[list[Path], typer.Argument(help="Photos, by their path or by that in the photo folder")],
    project: InProject = Path("falco-project"),
    delete: Annotated[bool, typer.Option("--delete", help="Delete the photos themselves, too")] = False,
) -> None:
    """Make a new version without PHOTOS, and let nothing that was made of them stay in the project."""
    from falco_core.project.holding import holding

    opened = Project.open(project)
    with holding(opened.root):
        _forget(opened, photos, delete=delete)


def _forget(opened: Project, photos: list[Path], *, delete: bool) -> None:
    from falco_core.project.standing import check_release, drop_standing
    from flows.forget import check_gone, collect_garbage, forget_all, photos_to_forget

    check_release(opened.root)
    chosen = photos_to_forget(opened, photos)
    there = [photo for photo in chosen if photo.exists()]
    if opened.photos_url is not None:
        check_gone(opened.photos_url, [photo.relative_to(opened.photos) for photo in chosen])
    elif there and not delete:
        raise ProjectError(f"{there[0]} is still there: move it away first, or let falco delete it with --delete")
    for photo in there:
        photo.unlink()
    # Whatever becomes of the run: the old release shows them.
    shutil.rmtree(opened.path(RELEASE), ignore_errors=True)
    drop_standing(opened.root)
    if forget_all(opened):
        print("no photo is left: the project holds nothing any more")
        return
    from flows.commands.running import run_project

    try:
        run_project(opened.root, None, {})
    finally:
        freed = collect_garbage(opened)
        print(f"forgotten: {len(chosen)} photos; {freed / 2**20:.1f} MiB became free")


def gc(project: InProject = Path("falco-project")) -> None:
    """Drop all that the project's present state does not need: work and versions of before."""
    from falco_core.project.holding import holding
    from flows.forget import collect_garbage

    opened = Project.open(project)
    with holding(opened.root):
        print(f"{collect_garbage(opened) / 2**20:.1f} MiB became free")
