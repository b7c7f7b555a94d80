"""Any folder tree of photos."""

from pathlib import Path, PurePosixPath

from falco_core.photos.opening import SUFFIXES

PHOTO_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def list_photos(root: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Photos under `root` and other files, both as sorted relative paths.

    Hidden files and folders are passed over; links are followed only if they stay inside `root`. A file whose name is
    not Unicode is no photo: no table could name it (its name is returned with question marks).
    """
    inside = root.resolve()
    photos: list[PurePosixPath] = []
    others: list[PurePosixPath] = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if any(part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        if not path.resolve().is_relative_to(inside) or not _is_unicode(str(relative)):
            others.append(PurePosixPath(relative.as_posix().encode("utf-8", "replace").decode()))
            continue
        chosen = photos if path.suffix.lower() in PHOTO_SUFFIXES else others
        chosen.append(PurePosixPath(relative.as_posix()))
    return photos, others


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
