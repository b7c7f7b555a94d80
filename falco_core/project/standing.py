"""The last good release, kept beside: DVC empties `release` before it runs the stage that may fail to fill it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from falco_core.errors import ProjectError
from falco_core.project.stages import RELEASE
from falco_core.project.work import fresh_folder

STANDING = ".falco/standing"


@contextmanager
def standing_release(root: Path) -> Iterator[None]:
    """Keep the release that the block makes; whatever ends the block otherwise, the one before is put back."""
    try:
        yield
    except BaseException:
        restore_release(root)
        raise
    _copy(root / RELEASE, root / STANDING)


def restore_release(root: Path) -> None:
    """Put the last good release where it was, if it is gone."""
    if (root / STANDING).is_dir() and not (root / RELEASE).exists():
        _copy(root / STANDING, root / RELEASE)


def drop_standing(root: Path) -> None:
    """Keep the last release no longer."""
    shutil.rmtree(root / STANDING, ignore_errors=True)


def check_release(root: Path) -> None:
    """Raise ProjectError if `release` holds a file that falco did not put there: the next release would delete it."""
    release, known = root / RELEASE, root / STANDING
    if not (known.is_dir() and release.is_dir()):
        return
    for folder, _, names in os.walk(release):
        for name in names:
            path = Path(folder, name)
            if not (known / path.relative_to(release)).is_file():
                raise ProjectError(f"{path} is not falco's, and a new release would delete it: move it away")


def _copy(source: Path, target: Path) -> None:
    """The same files in another place: hard links where that can be."""
    with fresh_folder(target) as folder:
        shutil.copytree(source, folder, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
