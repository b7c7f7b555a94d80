"""The whole way, stage by stage through DVC: align, invert, sample, pair, anonymize, compose, validate, release."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.client.orchestration import get_client

from falco_core.errors import FalcoError, ProjectError
from falco_core.project.folder import Project
from falco_core.project.stages import STAGES


class StageFailed(FalcoError):
    """A stage ended with an error; its own message stands in the log above."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(f"stage {stage} failed: {message}")
        self.stage = stage


@flow(name="anonymize-dataset", validate_parameters=False)
def anonymize_dataset(project: Path) -> dict[str, str]:
    """Bring every artifact of `project` up to date; returns what happened to each stage (ran, cached)."""
    Project.open(project)
    return {stage.name: reproduce.with_options(name=stage.name)(project, stage.name) for stage in STAGES}


@task
def reproduce(project: Path, stage: str) -> str:
    """`dvc repro` of one stage, its output streamed into the log; returns `ran` or `cached`."""
    logger = get_run_logger()
    ran = False
    for line in dvc_repro(project, stage):
        logger.info(line)
        ran = ran or line.startswith("> ")
        if line.startswith(f"{stage}: "):
            print(line, flush=True)
    if not ran:
        print(f"{stage}: up to date", flush=True)
    return "ran" if ran else "cached"


def dvc_repro(project: Path, stage: str) -> Iterator[str]:
    """Run DVC on one stage and yield its lines; raises StageFailed with the last of them."""
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", stage]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=project, env=_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        if process.stdout is None:
            raise ProjectError("DVC's output cannot be read")
        for line in process.stdout:
            lines.append(line.rstrip())
            yield lines[-1]
    if process.returncode:
        own = [line for line in lines if line.startswith("falco: ")]
        message = own[-1].removeprefix("falco: ") if own else "\n".join(lines[-20:])
        raise StageFailed(stage, message)


def _environment() -> dict[str, str]:
    """This process' Python first on the path, and its Prefect server for the stages to report to."""
    api_url = str(get_client(sync_client=True).api_url)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "PREFECT_API_URL": api_url, "PYTHONUNBUFFERED": "1"}
