"""Projects of falco 0.1: what becomes of their parameters and of what they kept."""

import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

RENAMED = {"align.min_face_size": "align.smallest_replaced"}
"""Keys of 0.1 that have another name now."""
DROPPED = (
    "align.max_side",  # photos are looked at in views of every scale
    "align.detection_threshold",  # was another detector's: as a limit of today's it would hide faces
    "compose.feather",  # the mask's edge is the mask's own
    "compose.max_heldout_similarity",  # the gate has judges now (judges.gate)
    "store.items",  # work is kept per bucket (store.path)
)
"""Keys of 0.1 whose values mean nothing any more."""
LEFT_OVERS = (".falco/items", "data/pairs.parquet")
"""What 0.1 wrote and nothing reads any more."""


def upgrade(document: CommentedMap) -> str | None:
    """Bring the parameters of a project of falco 0.1 up to date, and say so in one line; None if it is not of 0.1."""
    if (opaque := _take(document, "release.opaque_names")) is not _MISSING:
        document["release"].setdefault("names", "opaque" if opaque else "keep")
    if not any(_value(document, key) is not _MISSING for key in (*RENAMED, "align.max_side", "store.items")):
        return None
    for old, new in RENAMED.items():
        if (value := _take(document, old)) is not _MISSING:
            section, name = new.split(".")
            document[section][name] = value
    dropped = [key for key in DROPPED if _take(document, key) is not _MISSING]
    return (
        "this project was made by falco 0.1: parameters that mean nothing any more are left out "
        f"({', '.join(dropped)}), all work is done again; photos and other parameters stay"
    )


def drop_left_overs(root: Path) -> None:
    """Delete what falco 0.1 wrote in a project and nothing reads any more."""
    for path in (root / name for name in LEFT_OVERS):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


_MISSING = object()


def _value(document: CommentedMap, key: str) -> Any:
    section, name = key.split(".")
    there = document.get(section)
    return there.get(name, _MISSING) if isinstance(there, CommentedMap) else _MISSING


def _take(document: CommentedMap, key: str) -> Any:
    value = _value(document, key)
    if value is not _MISSING:
        section, name = key.split(".")
        del document[section][name]
    return value
