"""The photos of a project, in a folder of this machine or elsewhere: what there is, and bringing it here."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from falco_core.photos.folder import PassedOver, is_photo, list_photos
from falco_core.photos.mirror import RemoteFile, copy_in, files_there, mirror
from falco_core.project.folder import Project
from falco_core.project.private import MIRROR
from falco_core.store.place import is_url


@dataclass(frozen=True)
class FoundPhotos:
    """What lies where the parameters say that the photos are."""

    photos: Sequence[PurePosixPath]
    passed_over: Sequence[PassedOver] = ()
    there: Sequence[RemoteFile] = ()
    """All files of a place elsewhere."""


def folder_or_setting(photos: str | None, changes: Mapping[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """The folder of photos that somebody named, and the changes of parameters, with the URL of photos elsewhere."""
    if photos is None or not is_url(photos):
        return None if photos is None else Path(photos), dict(changes)
    return None, {**changes, "input.photos": photos}


def find_photos(project: Project) -> FoundPhotos:
    """What is there, before any of it is read; raises ProjectError."""
    if project.photos_url is None:
        return FoundPhotos(*list_photos(project.photos))
    there = files_there(project.photos_url)
    photos = [path for path in (PurePosixPath(file.path) for file in there) if is_photo(path)]
    # What is passed over is named when the copy is listed. It holds plain files alone, none of which disturbs DVC.
    return FoundPhotos(photos, there=there)


def bring_photos(project: Project, found: FoundPhotos) -> Path:
    """The folder of photos on this machine; of those elsewhere all that is new is fetched. Raises ProjectError."""
    folder = project.root / MIRROR
    if project.photos_url is None:
        shutil.rmtree(folder, ignore_errors=True)
        return project.photos
    done = mirror(project.photos_url, found.there, folder, _show)
    if done.fetched or done.gone:
        print(f"photos: {done.fetched} new or changed, {done.gone} gone", flush=True)
    return copy_in(folder)


def _show(done: int, total: int) -> None:
    print(f"photos: {done} of {total} fetched", flush=True)
