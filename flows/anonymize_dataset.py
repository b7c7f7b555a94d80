"""The whole way through DVC: align, invert, sample, pair, anonymize, compose, validate, gate, release."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.client.orchestration import get_client

from falco_core.errors import FalcoError, ProjectError, one_line
from falco_core.project.folder import Project
from falco_core.project.stages import STAGES
from flows.children import child
from flows.progress import BATCH, begin, show

_EXITED = re.compile(r"exited with (-?\d+)")
_KILLED = ("-9", "137")
_OUT_OF_MEMORY = "it was killed, most likely for want of memory: close other programs, or lower the batch sizes"


class StageFailed(FalcoError):
    """A stage ended with an error. What it said may name photos: it is kept apart from what a server is told."""

    def __init__(self, stage: str, message: str, exit_code: int = 2) -> None:
        super().__init__(f"stage {stage} failed")
        self.stage = stage
        self._message = message
        self.exit_code = exit_code

    @property
    def line(self) -> str:
        """With what the stage said."""
        return f"{self}: {self._message}"


@flow(name="anonymize-dataset", validate_parameters=False)
def anonymize_dataset(project: Path) -> dict[str, str]:
    """Bring every artifact of `project` up to date; returns what happened to each stage (ran, cached)."""
    project = Path(project)
    Project.open(project)
    return {stage.name: reproduce.with_options(name=stage.name)(project, stage.name) for stage in STAGES}


@task
def reproduce(project: Path, stage: str) -> str:
    """`dvc repro` of one stage; returns `ran` or `cached`. Only progress goes to the log: others may name photos."""
    logger = get_run_logger()
    ran = False
    begin(stage)
    for line in dvc_repro(project, stage):
        ran = ran or line.startswith("> ")
        if BATCH.fullmatch(line):
            logger.info(line)
        if line.startswith(f"{stage}: "):
            show(line)
    if not ran:
        show(f"{stage}: up to date")
    return "ran" if ran else "cached"


def dvc_repro(project: Path, stage: str) -> Iterator[str]:
    """Run DVC on one stage and yield its lines; raises StageFailed with the last of them."""
    # -P: the project folder, in which DVC runs, is not where Python looks for code.
    command = [sys.executable, "-P", "-m", "dvc", "repro", "--single-item", stage]
    lines: list[str] = []
    with child(command, cwd=project, env=_environment()) as process:
        if process.stdout is None:
            raise ProjectError("DVC's output cannot be read")
        for line in process.stdout:
            lines.append(line.rstrip())
            yield lines[-1]
    if process.returncode:
        raise failure(stage, lines)


def failure(stage: str, lines: list[str]) -> StageFailed:
    """What a stage (or DVC) said last, and the code that it ended with."""
    own = [line for line in lines if line.startswith("falco: ")]
    said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    message = own[-1].removeprefix("falco: ") if own else "; ".join(said or lines[-3:]) or "DVC said nothing"
    code = next((found[1] for line in reversed(lines) for found in _EXITED.finditer(line)), "")
    if code in _KILLED:
        return StageFailed(stage, _OUT_OF_MEMORY)
    # 127: the shell found no `falco`; whatever is no code of falco's own is taken for 2.
    return StageFailed(stage, one_line(message), int(code) if code in ("1", "2", "3") else 2)


def _environment() -> dict[str, str]:
    """This process' Python first on the path, and its Prefect server for the stages to report to."""
    api_url = str(get_client(sync_client=True).api_url)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own = {"PATH": path, "PREFECT_API_URL": api_url, "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
    # An entry of the user's that is no whole path would mean another folder in each process: the project's in DVC's.
    whole = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if Path(entry).is_absolute()]
    return {**os.environ, **own, "PYTHONPATH": os.pathsep.join(whole)}
