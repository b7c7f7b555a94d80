"""One stage, as dvc.yaml calls it: `falco stage NAME` in a project folder."""

import importlib
import os
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any

from prefect import flow

from falco_core.project.folder import Project
from falco_core.project.holding import holding
from falco_core.project.pins import check_pins
from falco_core.project.private import check_link
from falco_core.project.stages import PHOTOS, RELEASE, stage_named
from falco_core.project.standing import standing_release
from flows.runners import BatchFailed, runner_for
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
    """Run a stage: in task runs where a Prefect server is named (PREFECT_API_URL), else plainly."""
    runner = runner_for(Project.open(root).params.run)
    if not os.environ.get("PREFECT_API_URL"):
        with runner.plainly() as execute:
            return str(run_stage(name, root, execute))
    errors: list[BaseException] = []
    try:
        return stage_flow.with_options(task_runner=runner.task_runner)(name, root, errors)
    except BatchFailed:
        raise errors[0] from None


@flow(name="stage", flow_run_name="{name}", validate_parameters=False)
def stage_flow(name: str, root: Path, errors: list[BaseException]) -> str:
    """Run one stage with its batches as Prefect task runs; what breaks is put into `errors`."""
    with runner_for(Project.open(root).params.run).in_flow(lambda done, total: None) as execute:
        return str(_quiet(run_stage, errors)(name, Path(root), execute))


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
