"""One stage, as dvc.yaml calls it: `falco stage NAME` in a project folder."""

import importlib
import os
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow

from falco_core.project.folder import Project
from falco_core.project.holding import holding
from falco_core.project.pins import check_pins
from falco_core.project.private import check_link
from falco_core.project.stages import PHOTOS, RELEASE, stage_named
from falco_core.project.standing import standing_release
from flows.records import StageRecord, failed, write_record
from flows.runners import BatchFailed, runner_for
from flows.ui import StageProgress
from tasks.batches import Execute, StageReport


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
    """Run a stage: in task runs where a Prefect server is named (PREFECT_API_URL), else plainly.

    Whoever started it finds in its record how it ended.
    """
    with holding(root):
        write_record(root, name, StageRecord(state="running"))
        try:
            report = _in_flow(name, root) if os.environ.get("PREFECT_API_URL") else _plainly(name, root)
        except BaseException as error:
            write_record(root, name, failed(error))
            raise
        said = str(report)
        write_record(root, name, StageRecord(state="done", said=said, total=report.total, computed=report.computed))
    return said


def _plainly(name: str, root: Path) -> StageReport:
    with runner_for(Project.open(root).params.run).plainly() as execute:
        return run_stage(name, root, execute)


def _in_flow(name: str, root: Path) -> StageReport:
    """Run the stage's flow, below the task run that FALCO_TASK_RUN names."""
    errors: list[BaseException] = []
    reports: list[StageReport] = []
    runner = runner_for(Project.open(root).params.run)
    chosen = stage_flow.with_options(task_runner=runner.task_runner)
    parameters: dict[str, Any] = {"name": name, "root": root, "reports": reports, "errors": errors}
    try:
        if parent := os.environ.get("FALCO_TASK_RUN"):
            with get_client(sync_client=True) as client:
                run = client.create_flow_run(chosen, name=name, parent_task_run_id=UUID(parent))
            run_flow(chosen, flow_run=run, parameters=parameters)
        else:
            chosen(**parameters)
    except BatchFailed:
        raise errors[0] from None
    return reports[0]


@flow(name="stage", flow_run_name="{name}", validate_parameters=False)
def stage_flow(name: str, root: Path, reports: list[StageReport], errors: list[BaseException]) -> None:
    """Run one stage with its batches as Prefect task runs; puts its report, or what breaks, into a list."""
    with runner_for(Project.open(root).params.run).in_flow(StageProgress(root, name).show) as execute:
        reports.append(_quiet(run_stage, errors)(name, root, execute))


def _quiet(function: Callable[..., Any], errors: list[BaseException]) -> Callable[..., Any]:
    """The function, with an error that says nothing in place of each of its own, which are kept here."""

    @wraps(function)
    def quiet(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except Exception as error:
            errors.append(error)
        raise BatchFailed

    return quiet
