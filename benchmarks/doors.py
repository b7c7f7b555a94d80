"""What the doors cost beside the stages' own work: `dvc repro`, and a run of a Prefect flow.

    python -m benchmarks.doors --json benchmarks/doors.json

The demo photos in three fresh projects: all stages in one process that has loaded everything already, `dvc repro`, and
`falco run` with a Prefect server of its own; then both doors once more with nothing to do. Paired in one run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from falco_core.project.stages import STAGES
from falco_rendered.demo import demo_photos
from flows.project import init_project
from flows.stage import run_stage
from tasks.batches import execute_here


@dataclass(frozen=True)
class Doors:
    """Seconds for the demo: the stages alone, and through each door; overheads per stage."""

    stages_alone: float
    dvc: float
    prefect: float
    dvc_nothing_new: float
    prefect_nothing_new: float
    dvc_overhead_per_stage: float
    prefect_overhead_per_stage: float
    dvc_per_stage_nothing_new: float
    prefect_per_stage_nothing_new: float


def measure(root: Path) -> Doors:
    """All five runs."""
    alone = _alone(root / "alone")
    dvc_project = init_project(root / "dvc", photos=demo_photos()).root
    dvc = _seconds([sys.executable, "-m", "dvc", "repro"], dvc_project)
    falco = ["falco", "run", str(demo_photos()), "--out", str(root / "prefect")]
    prefect = _seconds(falco, root)
    again = _seconds([sys.executable, "-m", "dvc", "repro"], dvc_project)
    falco_again = _seconds(falco, root)
    count = len(STAGES)
    return Doors(
        *(round(value, 1) for value in (alone, dvc, prefect, again, falco_again)),
        *(round((value - alone) / count, 2) for value in (dvc, prefect)),
        *(round(value / count, 2) for value in (again, falco_again)),
    )


def _alone(root: Path) -> float:
    """The stages, one after the other, in this process; once for the libraries and networks to be loaded."""
    for name in ("first", "second"):
        project = init_project(root / name, photos=demo_photos()).root
        start = time.perf_counter()
        for stage in STAGES:
            run_stage(stage.name, project, execute_here)
    return time.perf_counter() - start


def _seconds(command: list[str], folder: Path) -> float:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        doors = measure(Path(folder))
    print(json.dumps(asdict(doors), indent=1))
    if options.json:
        options.json.write_text(json.dumps(asdict(doors), indent=1) + "\n")


if __name__ == "__main__":
    main()
