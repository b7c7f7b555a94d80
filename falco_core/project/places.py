"""Where photos and a project may lie."""

from collections.abc import Sequence
from pathlib import Path

from falco_core.errors import ProjectError
from falco_core.photos.folder import PHOTO_SUFFIXES, PassedOver
from falco_core.project.folder import Project
from falco_core.project.stages import STAGES

DVC_FILE = "dvc.yaml"
OWN_FOLDERS = ("data", "reports", "release", ".falco", ".dvc", ".git")
"""What falco, DVC and git write in a project folder, and may delete."""
MOST_NAMED = 5


def check_places(project: Project) -> None:
    """Raise ProjectError if photos and falco's own folders overlap: DVC empties a stage's outputs before it runs."""
    root = project.root
    if project.photos_url is None:
        _check_photos(project.photos.resolve(), root)
    for place in (root, *root.parents):
        if place.exists() and not place.is_dir():
            raise ProjectError(f"{place} is a file: choose another project folder")
    if not (root / DVC_FILE).is_file():
        for stage in STAGES:
            for artifact in stage.all_writes:
                if (root / artifact).exists():
                    raise ProjectError(f"{root / artifact} is not falco's: choose another project folder")


def _check_photos(photos: Path, root: Path) -> None:
    if root.is_relative_to(photos):
        raise ProjectError(f"{root} lies inside the photo folder {photos}: choose a project folder elsewhere")
    for name in OWN_FOLDERS:
        if photos.is_relative_to(root / name):
            raise ProjectError(f"{photos} lies where falco writes: move the photos out of {root / name}")


def check_any(photos: Path | str, found: Sequence[object], passed_over: Sequence[PassedOver]) -> None:
    """Raise ProjectError if no photo was found, and say what was."""
    if not found:
        named = f"; passed over: {'; '.join(lines_of(passed_over))}" if passed_over else ""
        raise ProjectError(f"no photos under {photos}: looked for {', '.join(sorted(PHOTO_SUFFIXES))}{named}")


def lines_of(passed_over: Sequence[PassedOver]) -> list[str]:
    """A line per cause: how many, and the first of them by name."""
    by_cause: dict[str, list[str]] = {}
    for other in passed_over:
        by_cause.setdefault(other.cause, []).append(other.path)
    return [
        f"{len(paths)} × {cause} ({', '.join(paths[:MOST_NAMED])}{', …' if len(paths) > MOST_NAMED else ''})"
        for cause, paths in sorted(by_cause.items())
    ]
