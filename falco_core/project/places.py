"""Where photos and a project may lie."""

import os
from pathlib import Path

from falco_core.errors import ProjectError
from falco_core.project.folder import Project
from falco_core.project.stages import STAGES

DVC_FILE = "dvc.yaml"
OWN_FOLDERS = ("data", "reports", "release", ".falco", ".dvc")
"""What falco and DVC write in a project folder, and may delete."""


def check_places(project: Project) -> None:
    """Raise ProjectError if photos and falco's own folders overlap: DVC empties a stage's outputs before it runs."""
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
