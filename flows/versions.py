"""Versions of a dataset in git: a commit of what DVC, the parameters and the metrics say, and a tag dataset/vN.

What a version's message tells are counts and names of parameters: a tag goes wherever the repository is pushed to.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from dvc.api import DVCFileSystem

from falco_core.errors import ProjectError, one_line
from falco_core.project.folder import PARAMS_FILE, Project
from falco_core.project.private import TRACKED
from falco_core.project.stages import PHOTO_FILES
from falco_core.store.artifact import read_table
from falco_core.store.rows import PhotoFile
from falco_core.strict_yaml import RefusedYaml, load_yaml
from flows.git import git
from tasks.gate import read_metrics

_TAG = "dataset/v"
_LOCK = "dvc.lock"


@dataclass(frozen=True)
class Changes:
    """Photos by what became of them since a version."""

    new: int
    changed: int
    removed: int

    def __str__(self) -> str:
        return f"{self.new} photos new, {self.changed} changed, {self.removed} removed"


@dataclass(frozen=True)
class Version:
    """A version that was made: its tag, and what it says of itself."""

    tag: str
    message: str

    def __str__(self) -> str:
        return f"{self.tag}: {self.message.splitlines()[0]}"


def check_git(root: Path) -> None:
    """Raise ProjectError if there is no git repository to keep versions in."""
    if shutil.which("git") is None:
        raise ProjectError("versions are kept in git: install it, then run again")
    if _git(root, "rev-parse", "--git-dir", check=False).returncode:
        raise ProjectError(f"{root} is not in a git repository: run `git init` there, then `falco init {root}`")


def latest_tag(root: Path) -> str | None:
    """The newest version's tag; None if there is none."""
    tags = _git(root, "tag", "--list", f"{_TAG}*").stdout.split()
    numbers = [int(tag.removeprefix(_TAG)) for tag in tags if tag.removeprefix(_TAG).isdigit()]
    return f"{_TAG}{max(numbers)}" if numbers else None


def is_version(root: Path, tag: str) -> bool:
    """Whether what DVC keeps now is that version."""
    return _git(root, "diff", "--quiet", tag, "--", _LOCK, check=False).returncode == 0


def make_version(project: Project, before: str | None) -> Version:
    """Commit the project as it is, and tag it; before: the tag that it is compared with."""
    root = project.root
    number = int(before.removeprefix(_TAG)) + 1 if before else 1
    version = Version(f"{_TAG}{number}", "\n".join(_told(project, before)))
    there = [name for name in TRACKED if (root / name).exists()]
    _git(root, "add", "--", *there)
    if _git(root, "diff", "--cached", "--quiet", "--", *there, check=False).returncode:
        _git(root, *_author(root), "commit", "--quiet", "--no-verify", "-m", str(version), "--only", "--", *there)
    _git(root, *_author(root), "tag", "--annotate", "-m", version.message, version.tag)
    return version


def changes_since(project: Project, tag: str) -> Changes | None:
    """The photos that changed since a version; None if it is not known any more which it had."""
    then = _photos_at(project.root, tag)
    if then is None:
        return None
    now = {row.photo: row.sha256 for row in read_table(project.path(PHOTO_FILES), PhotoFile)}
    both = then.keys() & now.keys()
    return Changes(len(now.keys() - both), sum(then[photo] != now[photo] for photo in both), len(then.keys() - both))


def _told(project: Project, before: str | None) -> Iterator[str]:
    """A version's message."""
    photos = read_metrics(project).photos
    changes = changes_since(project, before) if before else Changes(photos.total, 0, 0)
    yield f"{changes or 'an unknown number of photos changed'}; {photos.released} of {photos.total} released"
    if before and (keys := sorted(_changed_params(project.root, before))):
        yield ""
        yield f"Parameters changed since {before}: {', '.join(keys)}"


def _photos_at(root: Path, tag: str) -> dict[str, str] | None:
    with tempfile.TemporaryDirectory(dir=root / ".falco") as folder:
        copy = Path(folder, "photos.parquet")
        try:
            DVCFileSystem(str(root), rev=tag).get_file(PHOTO_FILES, str(copy))
            return {row.photo: row.sha256 for row in read_table(copy, PhotoFile)}
        # Whatever DVC stumbles over (a cache that was emptied, a remote that is away): versions go on without.
        except Exception:
            return None


def _changed_params(root: Path, tag: str) -> set[str]:
    """Keys of params.yaml with another value than in a version."""
    shown = _git(root, "show", f"{tag}:./{PARAMS_FILE}", check=False)
    try:
        then = dict(_flat(load_yaml(shown.stdout)))
    except RefusedYaml:
        return set()
    now = dict(_flat(load_yaml((root / PARAMS_FILE).read_text(encoding="utf-8"))))
    return {key for key in then.keys() | now.keys() if then.get(key) != now.get(key)}


def _flat(values: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in (values if isinstance(values, Mapping) else {}).items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _author(root: Path) -> list[str]:
    """Options for a machine on which nobody told git a name: a version must not wait for one."""
    if _git(root, "config", "user.email", check=False).stdout.strip():
        return []
    return ["-c", "user.name=falco", "-c", "user.email=falco@localhost"]


def _git(root: Path, *command: str, check: bool = True) -> "CompletedProcess[str]":
    """Run git in the project; raises ProjectError if it fails and `check` is set."""
    done = git(root, *command)
    if check and done.returncode:
        raise ProjectError(f"git {command[0]} failed in {root}: {one_line(done.stderr)[:200]}")
    return done
