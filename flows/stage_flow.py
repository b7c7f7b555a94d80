"""A stage as a Prefect flow, its units as task runs: what a server shows of it."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow

from falco_core.project.folder import Project
from flows.runners import BatchFailed, runner_for
from flows.stage import run_stage
from flows.ui import StageProgress
from tasks.batches import StageReport


def run_in_flow(name: str, root: Path) -> StageReport:
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
