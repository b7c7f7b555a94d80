"""The `falco` command, called as users call it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests import artifacts

BIN = Path(sys.executable).parent
SETTINGS = ("-S", "sample.count=48", "-S", "anonymize.attempts=2")


@dataclass(frozen=True)
class Run:
    """A finished `falco run`."""

    photos: Path
    project: Path
    output: str

    @property
    def released(self) -> dict[str, Path]:
        rows = artifacts.outcomes(self.project)
        return {row.photo: self.project / "release/photos" / row.file for row in rows if row.file is not None}

    @property
    def reasons(self) -> dict[str, str]:
        return artifacts.reasons(self.project)


def call(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PREFECT_API_URL", None)
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=500
    )


def run_falco(photos: Path, project: Path, *settings: str) -> str:
    done = call("falco", "run", photos, "--out", project, *SETTINGS, *settings, cwd=photos.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
