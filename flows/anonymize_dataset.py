"""The whole way through DVC: align, invert, sample, pair, anonymize, compose, validate, gate, release."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from prefect import State, Task, flow, get_run_logger, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import TaskRun
from prefect.runtime import task_run
from prefect.settings import get_current_settings
from prefect.states import Completed

from falco_core.errors import FalcoError
from falco_core.project.folder import Project
from falco_core.project.stages import STAGES
from flows.photos import folder_or_setting
from flows.progress import BATCH, begin, show
from flows.project import Setting, prepared
from flows.records import is_nameless
from flows.reproduction import How, Reproduced, StageFailed, reproduce_stage
from flows.server import OF_THE_SERVER, UNSEEN
from flows.ui import GATE_CLOSED, tell

RETRIES = (5.0, 60.0)
"""Seconds before a stage is tried again that failed for what may pass: a network, a busy lock."""
PATIENCE = 6 * 3600.0
"""Seconds that a deployment's run waits for whoever else is at work on the project."""


class RunFailed(FalcoError):
    """A run that ended before its stages did; what a server is told of it names no photo."""

    def __init__(self, error: FalcoError) -> None:
        super().__init__(str(error) if is_nameless(error) else "the run failed: its own log says why")
        self._error, self.exit_code = error, error.exit_code

    @property
    def line(self) -> str:
        """With all that was said."""
        return self._error.line


@flow(name="anonymize-dataset", persist_result=False)
def anonymize_dataset(
    project: Path, photos: str | None = None, settings: dict[str, Setting] | None = None
) -> dict[str, How]:
    """Bring every artifact of a project up to date, the release among them; returns what happened to each stage.

    Args:
        project: The project folder on the machine that runs this; made if there is none.
        photos: The folder of photos, or its URL (s3://...); left out: the one that the project has.
        settings: Keys of params.yaml that are changed first, such as {"anonymize.margin": -0.1}.
    """
    folder, changes = folder_or_setting(photos, settings or {})
    with nameless(), prepared(project, folder, changes, patience=PATIENCE) as opened:
        return bring_up_to_date(opened)


def bring_up_to_date(project: Project) -> dict[str, How]:
    """Reproduce every stage in a task run of its own, and show on the server what is new; raises StageFailed."""
    hours = project.params.run.max_stage_hours
    seconds = None if hours is None else 3600 * hours
    found: dict[str, How] = {}
    try:
        for stage in STAGES:
            named = reproduce.with_options(name=stage.name, tags={"falco", stage.name})
            found[stage.name] = named(project.root, stage.name, seconds)
    except StageFailed as error:
        if error.stage == "gate":
            tell(project.root, GATE_CLOSED, {"why": str(error)})
        raise
    if set(found.values()) != {"cached"} and UNSEEN not in os.environ:
        # Draws pictures with libraries that a run with nothing to do need not wait for.
        from flows.publish import publish

        publish(project)
    return found


def _may_pass(_task: Task[..., object], _run: TaskRun, state: State[object]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, StageFailed) and error.passing


@task(retries=len(RETRIES), retry_delay_seconds=list(RETRIES), retry_condition_fn=_may_pass, persist_result=False)
def reproduce(root: Path, stage: str, seconds: float | None) -> How:
    """`dvc repro` of one stage; ends `Cached` if there was nothing to do. Only progress goes to the server's log."""
    logger = get_run_logger()

    def hear(line: str) -> None:
        if BATCH.fullmatch(line):
            logger.info(line)
        if line.startswith(f"{stage}: "):
            show(line)

    begin(stage)
    done = reproduce_stage(root, stage, hear, environment=_environment(), seconds=seconds)
    said = _said(stage, done)
    if done.how != "ran":
        show(said)
    logger.info(said)
    state: State[How] = Completed(name="Completed" if done.how == "ran" else "Cached", message=said, data=done.how)
    return cast(How, state)  # Prefect makes the state the run's own, and hands its data on


@contextmanager
def nameless() -> Iterator[None]:
    """Let nothing of an error that may name a photo out to a server."""
    try:
        yield
    except StageFailed:
        raise
    except FalcoError as error:
        raise RunFailed(error) from None


def _said(stage: str, done: Reproduced) -> str:
    if done.how == "cached":
        return f"{stage}: up to date"
    if done.how == "restored" or done.record is None:
        return f"{stage}: taken from DVC's cache"
    return done.record.said


def _environment() -> Mapping[str, str]:
    """The server and the task run that the stage's own run is to appear under: none where nobody would see it there.

    Then a stage need not load Prefect.
    """
    if UNSEEN in os.environ:
        return {"PREFECT_API_URL": ""}
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    server = {name: value for name, value in settings.items() if name.startswith(OF_THE_SERVER)}
    with get_client(sync_client=True) as client:
        return {**server, "PREFECT_API_URL": str(client.api_url), "FALCO_TASK_RUN": str(task_run.get_id() or "")}
