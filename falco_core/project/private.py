"""What keeps a project folder private: who may enter, what git and DVC may take up, and a link to the photos.

DVC hashes all that it finds in a folder it depends on, and waits forever for a FIFO. So it is shown the photos through
a link inside the project, where files of ours can tell it what to leave out. The link also keeps the photos' place out
of dvc.lock. Git tracks it, with an absolute target: a clone on this machine, those that DVC makes for experiments among
them, finds the photos; elsewhere `falco init CLONE --photos THERE` sets it right.
"""

from collections.abc import Iterable
from pathlib import Path

from falco_core.errors import ProjectError
from falco_core.files import make_private, text_in, write_text
from falco_core.photos.folder import PassedOver

OWN_FOLDER = ".falco"
PRIVATE_FOLDERS = (OWN_FOLDER, "data", "reports", ".dvc")
_OWN_FOLDERS = (*PRIVATE_FOLDERS, "release")
PHOTOS_LINK = f"{OWN_FOLDER}/photos"
MIRROR = f"{OWN_FOLDER}/mirror"
"""The copy of photos that lie elsewhere."""
_PUBLIC = ("params.yaml", "pins.yaml", "dvc.yaml", "dvc.lock", ".gitignore", ".dvcignore", ".dvc")
TRACKED = (*_PUBLIC, "reports/metrics.json", "reports/plots", PHOTOS_LINK)
"""What git keeps of a version."""
_MARK = "# Made by falco: photos, what was made of them and their names stay out of git.\n"
_FIGURES = ("metrics.json", "plots")
"""In `reports`: figures without names, which git tracks so that versions can be compared."""
_REPORTS = ("/reports/*", *(f"!/reports/{name}" for name in _FIGURES))
_THE_LINK = (f"/{OWN_FOLDER}/*", f"!/{PHOTOS_LINK}", f"/{PHOTOS_LINK}/")
"""Of our own folder, git takes up the link alone: a folder in its place is none."""
_ALL_BUT = "\n".join(("/*", *(f"!/{name}" for name in (*_PUBLIC, "reports", OWN_FOLDER)), *_REPORTS, *_THE_LINK, ""))
_DVC_FILES = ("dvc.yaml", "dvc.lock", "*.dvc")
"""What DVC would read as a pipeline's, wherever it lies."""
_NOT_READ = (
    *(f"/{OWN_FOLDER}/{name}/" for name in ("store", "prefect", "standing", "mirror")),
    *(f"/{PHOTOS_LINK}/**/{name}" for name in (".*", *_DVC_FILES)),
)
"""What DVC leaves out in every project. Hashes depend on it, so that git tracks it."""


def check_folders(root: Path) -> None:
    """Raise ProjectError if a folder that falco writes and empties is a link: what it leads to is not falco's."""
    for name in _OWN_FOLDERS:
        if (root / name).is_symlink():
            raise ProjectError(f"{root / name} is a link: falco empties this folder; let it be one, or remove the link")


def make_folders_private(root: Path) -> None:
    """Shut the folders that hold what was made of originals."""
    for name in PRIVATE_FOLDERS:
        make_private(root / name)


def write_ignores(root: Path, photos: Path, passed_over: Iterable[PassedOver]) -> None:
    """Write the project's .gitignore and .dvcignore, and what DVC leaves out of the photo folder.

    photos: their folder; passed_over: what lies in it beside them.
    """
    is_own = photos.is_relative_to(root) and not photos.is_relative_to(root / OWN_FOLDER)
    own = [f"/{_pattern(photos.relative_to(root).as_posix())}/"] if is_own else []
    _write_gitignore(root / ".gitignore", own)
    # Photos inside the project are seen through the link only: a dvc.yaml among them is nobody's.
    _write_block(root / ".dvcignore", "# Made by falco.\n", [*own, *_NOT_READ])
    # Names are private: these lines stay here.
    lines = [f"/photos/{_pattern(other.path)}" for other in passed_over if other.disturbs]
    write_text(root / OWN_FOLDER / ".dvcignore", "\n".join(["# Made by falco: what DVC must not read.", *lines]) + "\n")


def link_photos(root: Path, photos: Path) -> None:
    """Let `.falco/photos` be a link to the folder of photos."""
    link = root / PHOTOS_LINK
    target = photos.resolve()
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    elif link.exists():
        raise ProjectError(f"{link} is not falco's link to the photos: move it away")
    link.symlink_to(target, target_is_directory=True)


def check_link(root: Path, photos: Path) -> None:
    """Raise ProjectError unless the photos that DVC looked at are those that the parameters name."""
    link = root / PHOTOS_LINK
    if not link.is_symlink() or link.resolve() != photos.resolve():
        raise ProjectError(f"input.photos was changed by hand: run `falco init {root}`, then again")


def _write_gitignore(path: Path, own: list[str]) -> None:
    """A file of ours lets nothing through but a few text files; one of somebody else's gets our folders added."""
    text = text_in(path)
    if not text or (text.startswith(_MARK) and _ALL_BUT not in text):
        write_text(path, _MARK + _ALL_BUT)
    elif text.startswith(_MARK):
        return
    else:
        folders = [f"/{name}/" for name in ("data", "release", ".dvc/cache", ".dvc/tmp")]
        _write_block(path, _MARK, [*folders, *_REPORTS, *_THE_LINK, "/.dvc/config.local", "shown.png", *own])


def _write_block(path: Path, mark: str, lines: list[str]) -> None:
    """Add to a file the lines that it lacks."""
    text = text_in(path)
    there = set(text.splitlines())
    if missing := [line for line in lines if line not in there]:
        before = text if not text or text.endswith("\n") else text + "\n"
        write_text(path, before + ("" if mark in text else mark) + "\n".join(missing) + "\n")


def _pattern(path: str) -> str:
    """A path as .dvcignore's pattern for it alone; characters that no line can hold stand for any one character."""
    escaped = "".join(f"\\{c}" if c in "\\[]*!#" else c if c.isprintable() else "?" for c in path)
    return escaped[:-1] + "?" if escaped.endswith(" ") else escaped
