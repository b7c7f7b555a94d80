"""Git, as falco calls it: in one folder, by nobody's leave, and without a question."""

import os
import subprocess
from pathlib import Path


def git(root: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run git in the folder `root`; what it says is in the result, and whether it did it."""
    # Those of a hook, in which falco may be called, name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *command],
        cwd=root,
        env={**environment, "GIT_TERMINAL_PROMPT": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
