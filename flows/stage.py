"""One stage, as dvc.yaml calls it: `falco stage NAME` in a project folder."""

import importlib
import os
from contextlib import nullcontext
from pathlib import Path

from falco_core.project.folder import Project
from falco_core.project.holding import holding
from falco_core.project.pins import check_pins
from falco_core.project.private import check_link
from falco_core.project.stages import PHOTOS, RELEASE, stage_named
from falco_core.project.standing import standing_release
from flows.records import StageRecord, failed, write_record
from tasks.batches import Execute, StageReport, execute_here


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
    run = Project.open(root).params.run
    if run.runner == "threads":
        return run_stage(name, root, execute_here)
    # Dask takes seconds to import, and so does Prefect.
    from flows.dask_runner import Dask

    with Dask(run).plainly() as execute:
        return run_stage(name, root, execute)


def _in_flow(name: str, root: Path) -> StageReport:
    from flows.stage_flow import run_in_flow

    return run_in_flow(name, root)
