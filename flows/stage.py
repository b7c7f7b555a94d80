"""One stage, as dvc.yaml calls it: `python -m flows.stage NAME` in a project folder."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow, unmapped
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import ThreadPoolTaskRunner

from falco_core.errors import FalcoError
from falco_core.project.folder import Project
from falco_core.project.pins import check_pins
from falco_core.project.stages import STAGES, stage_named
from falco_core.project.work import Entry
from tasks.batches import BatchTask, Execute, StageReport, execute_here, progress_line


def run_stage(name: str, root: Path, execute: Execute) -> StageReport:
    """Run stage `name` of the project at `root`, its batches through `execute`."""
    project = Project.open(root)
    check_pins(project, stage_named(name))
    project.share_store(stage_named(name))
    report: StageReport = importlib.import_module(f"tasks.{name}").run(project, execute)
    return report


# One batch at a time: on one machine every batch already uses all cores or the whole GPU.
@flow(name="stage", flow_run_name="{name}", task_runner=ThreadPoolTaskRunner(max_workers=1))  # type: ignore[arg-type]
def stage_flow(name: str, root: Path) -> str:
    """Run one stage with each of its batches as a Prefect task run."""
    return str(run_stage(name, root, _execute_mapped))


def _execute_mapped(batch_task: BatchTask, project: Project, batches: Sequence[list[Entry[Any]]]) -> None:
    futures = batch_task.map(unmapped(project), list(batches)) if batches else []
    for number, future in enumerate(futures, start=1):
        future.result()
        print(progress_line(batch_task, number, len(batches)), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a stage: under a Prefect server if one is named (PREFECT_API_URL), else without one."""
    parser = argparse.ArgumentParser(prog="python -m flows.stage", description=main.__doc__)
    parser.add_argument("name", choices=[stage.name for stage in STAGES])
    name = parser.parse_args(arguments).name
    root = Path.cwd()
    try:
        report = stage_flow(name, root) if PREFECT_API_URL.value() else run_stage(name, root, execute_here)
    except FalcoError as error:
        print(f"falco: {error}", file=sys.stderr)
        return 2
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
