"""Forgetting photos: nothing that was made of them stays in a project."""

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from falco_core.errors import ProjectError
from falco_core.photos.folder import list_photos
from falco_core.photos.mirror import files_there
from falco_core.project.folder import Project
from flows.repository import DVC_STATE


def photos_to_forget(project: Project, photos: Sequence[Path]) -> list[Path]:
    """The photos as paths in the project's photo folder; raises ProjectError for one that lies elsewhere."""
    folder = project.photos.resolve()
    found = []
    for photo in photos:
        if project.photos_url is not None and photo.is_relative_to(project.photos_url):
            photo = photo.relative_to(project.photos_url)
        # Not resolved: a photo may be a link. But `..` counts as what it means.
        places = (Path(os.path.normpath(place)) for place in (photo.absolute(), folder / photo))
        inside = [path for path in places if path.is_relative_to(folder) and path != folder]
        if not inside:
            raise ProjectError(f"{photo} is not in the photo folder {folder}")
        found.append(inside[0])
    return found


def check_gone(url: str, photos: Sequence[Path]) -> None:
    """Raise ProjectError if one of the photos (paths below `url`) still lies there."""
    there = {file.path for file in files_there(url)}
    for photo in photos:
        if photo.as_posix() in there:
            raise ProjectError(f"{photo} still lies under {url}: delete it there first, earlier versions of it, too")


def forget_all(project: Project) -> bool:
    """If the photo folder is empty, drop all that was made of photos; returns whether it was."""
    if list_photos(project.photos)[0]:
        return False
    for name in ("data", "reports", "release", ".falco", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(project.root / name, ignore_errors=True)
    (project.root / "dvc.lock").unlink(missing_ok=True)
    return True


def collect_garbage(project: Project) -> int:
    """Drop everything that the project's present state does not need; returns the bytes that became free.

    What DVC keeps of earlier states goes, too: they cannot be checked out any more.
    """
    before = _size(project.root)
    logging.getLogger("dvc").setLevel(logging.ERROR)
    try:
        with Repo(str(project.root)) as repo:
            repo.gc(workspace=True, force=True)
            # Runs of earlier states name their outputs, which are gone.
            shutil.rmtree(Path(repo.cache.local.path).parent.parent / "runs", ignore_errors=True)
    except DvcException as error:
        raise ProjectError(f"{project.root}: DVC cannot clean up: {error}") from None
    shutil.rmtree(project.root / DVC_STATE, ignore_errors=True)
    return max(0, before - _size(project.root))


def _size(root: Path) -> int:
    """Bytes of all files, those that are linked to one another counted once."""
    files = {(s.st_dev, s.st_ino): s.st_size for s in (p.lstat() for p in root.rglob("*") if p.is_file())}
    return sum(files.values())
