"""A project as a DVC repository, with git where git is there."""

import logging
import shutil
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import SCMError

from falco_core.errors import ProjectError, first_line
from flows.git import git

DVC_STATE = ".falco/dvc"
PRIVATE_REMOTE, PUBLIC_REMOTE = "private", "public"
"""DVC's remotes of what was made of originals, and of the release."""
_NOWHERE = "/dev/null/name-it-with-dvc-remote-modify-{name}-url"
"""A remote that nobody has named yet: DVC cannot do without one, and nothing can be written there."""


def init_repository(root: Path) -> None:
    """Make `root` a DVC repository, or set one right, whatever the user's own configuration of DVC says."""
    logging.getLogger("dvc").setLevel(logging.ERROR)
    with_git = _init_git(root)
    try:
        if not (root / ".dvc" / "config").is_file():
            shutil.rmtree(root / ".dvc", ignore_errors=True)
            Repo.init(str(root), no_scm=not with_git, subdir=with_git and not (root / ".git").exists()).close()
        _configure(root, with_git)
    except (DvcException, SCMError) as error:
        raise ProjectError(f"{root}: DVC cannot be set up here: {first_line(error)}") from None


def _configure(root: Path, with_git: bool) -> None:
    with Repo(str(root)) as repo:
        with repo.config.edit("repo") as config:
            options = {"analytics": False, "autostage": False, "check_update": False, "no_scm": not with_git}
            _set_options(config, core=options)
            # One copy of everything where the file system can link, and never a link into the cache in the release.
            _set_options(config, cache={"type": ["reflink", "hardlink", "copy"]}, exp={"auto_push": False})
            # What DVC pushes beside the outputs (its run cache) tells of originals, too.
            _set_options(config, core={"remote": PRIVATE_REMOTE})
            for name in (PRIVATE_REMOTE, PUBLIC_REMOTE):
                config["remote"].setdefault(name, {"url": _NOWHERE.format(name=name)})
        with repo.config.edit("local") as config:
            # DVC remembers paths of photos, by default in a place that everybody can read.
            _set_options(config, core={"site_cache_dir": str(root / DVC_STATE)})


def _set_options(config: dict[str, Any], **sections: dict[str, Any]) -> None:
    for name, options in sections.items():
        config[name] = {**config.get(name, {}), **options}


def _init_git(root: Path) -> bool:
    """Whether the project is in a git repository, its own or a surrounding one; makes one where git is there."""
    if shutil.which("git") is None:
        return False
    if (root / ".git").exists() or (
        _git(root, "rev-parse", "--git-dir") and not _git(root, "check-ignore", "-q", "dvc.yaml")
    ):
        return True
    # No template: hooks of others have no place in a project.
    return _git(root, "init", "--quiet", "--template=")


def _git(root: Path, *command: str) -> bool:
    """Whether git did it."""
    return git(root, *command).returncode == 0
