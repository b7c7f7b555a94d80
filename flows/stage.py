"""One stage, as dvc.yaml calls it: `falco stage NAME` in a project folder."""

import importlib
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, task, unmapped
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.task_runners import ThreadPoolTaskRunner

from falco_core.project.folder import Project
from falco_core.project.holding import holding
from falco_core.project.pins import check_pins
from falco_core.project.private import check_link
from falco_core.project.stages import PHOTOS, RELEASE, stage_named
from falco_core.project.standing import standing_release
from falco_core.project.work import Entry
from flows.records import StageRecord, failed, write_record
from flows.ui import StageProgress
from tasks.batches import BatchTask, Execute, StageReport, execute_here, progress_line


class BatchFailed(Exception):
    """What the server is told: the error itself may name photos."""

    def __init__(self) -> None:
        super().__init__("a batch failed: the project's own log says why")


def run_stage(name: str, root: Path, execute: Execute) -> StageReport:
    """Run stage `name` of the project at `root`, its batches through `execute`."""
    stage = stage_named(name)
    project = Project.open(root)
    with holding(project.root), standing_release(project.root) if RELEASE in stage.writes else nullcontext():
        check_pins(project, stage)
        if PHOTOS in stage.reads:
            check_link(project.root, project.photos)
        project.share_store(stage)
        report: StageReport = importlib.import_module(f"tasks.{name}").run(project, execute)
    return report


def run_stage_by_itself(name: str, root: Path) -> str:
    """Run a stage: with a task run for each batch where a Prefect server is named (PREFECT_API_URL), else plainly.

    Whoever started it finds in its record how it ended.
    """
    write_record(root, name, StageRecord(state="running"))
    try:
        report = run_stage(name, root, execute_here) if not os.environ.get("PREFECT_API_URL") else _in_flow(name, root)
    except BaseException as error:
        write_record(root, name, failed(error))
        raise
    said = str(report)
    write_record(root, name, StageRecord(state="done", said=said, total=report.total, computed=report.computed))
    return said


def _in_flow(name: str, root: Path) -> StageReport:
    """Run the stage's flow, below the task run that FALCO_TASK_RUN names."""
    errors: list[BaseException] = []
    reports: list[StageReport] = []
    parameters: dict[str, Any] = {"name": name, "root": root, "reports": reports, "errors": errors}
    try:
        if parent := os.environ.get("FALCO_TASK_RUN"):
            with get_client(sync_client=True) as client:
                run = client.create_flow_run(stage_flow, name=name, parent_task_run_id=UUID(parent))
            run_flow(stage_flow, flow_run=run, parameters=parameters)
        else:
            stage_flow(**parameters)
    except BatchFailed:
        raise errors[0] from None
    return reports[0]


# One batch at a time: on one machine every batch already uses all cores or the whole GPU.
@flow(
    name="stage",
    flow_run_name="{name}",
    task_runner=ThreadPoolTaskRunner(max_workers=1),  # type: ignore[arg-type]
    validate_parameters=False,
)
def stage_flow(name: str, root: Path, reports: list[StageReport], errors: list[BaseException]) -> None:
    """Run one stage with each of its batches as a Prefect task run; puts its report, or what breaks, into a list."""
    progress = StageProgress(root, name)

    def execute(batch_task: BatchTask, project: Project, batches: Sequence[list[Entry[Any]]]) -> None:
        quiet = task(name=batch_task.name)(_quiet(batch_task.fn, errors))
        futures = quiet.map(unmapped(project), list(batches)) if batches else []
        for number, future in enumerate(futures, start=1):
            future.result()
            print(progress_line(batch_task, number, len(batches)), flush=True)
            progress.show(number, len(batches))

    reports.append(_quiet(run_stage, errors)(name, root, execute))


def _quiet(function: Callable[..., Any], errors: list[BaseException]) -> Callable[..., Any]:
    """The function, with an error that says nothing in place of each of its own, which are kept here."""

    @wraps(function)
    def quiet(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except BatchFailed:
            raise
        except Exception as error:
            errors.append(error)
        raise BatchFailed

    return quiet
