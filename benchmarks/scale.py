"""What the house costs: everything but networks and codecs, for many photos.

    python -m benchmarks.scale --photos 1000 10000 100000 --json benchmarks/scale.json
    python -m benchmarks.scale --quick --json FILE        # ends within 50 seconds

A real project with a real DVC repository, whose stages are the real ones; only what looks at pixels is replaced by
something that answers at once with rows of the usual size (one face per photo). Four runs per size: the first, one
with nothing new (`dvc repro`), one with a photo more, one with a photo less. Each stage has a process of its own,
which then lets DVC take its outputs; the start of Python and of the libraries is measured once, apart.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from falco_core.project.folder import Project
from falco_core.project.stages import STAGES, Stage, stage_named
from flows.project import init_project
from flows.stage import run_stage
from tasks.batches import execute_here

SETTINGS = {
    "sample.count": 16,
    "anonymize.attempts": 1,
    "judges.kind": "rendered",
    "judges.gate": ["rendered_heldout"],
    "gate.allow_unknown": True,
    "validate.sheet_pages": 1,
}
NOTHING_NEW = "nothing new"


@dataclass(frozen=True)
class StageCost:
    """One stage of one run: its seconds, DVC's, its peak memory, that with DVC's work after it, and the files and bytes
    that it wrote.
    """

    run: str
    photos: int
    stage: str
    seconds: float
    dvc_seconds: float
    peak_mib: float
    peak_with_dvc_mib: float
    files: int
    mib: float


def measure(photos: int, root: Path) -> Iterator[StageCost]:
    """All four runs over so many photos."""
    for number in range(photos):
        _write_photo(root / "photos", number)
    project = init_project(root / "project", photos=root / "photos", changes=SETTINGS)
    yield from _run(project, "first", photos)
    yield _nothing_new(project, photos)
    _write_photo(root / "photos", photos)
    yield from _run(project, "one more", photos)
    (root / "photos" / "00" / "0.png").unlink()
    yield from _run(project, "one less", photos)


def _write_photo(folder: Path, number: int) -> None:
    path = folder / f"{number % 100:02d}" / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a photo, number %d" % number)


def _run(project: Project, run: str, photos: int) -> Iterator[StageCost]:
    for stage in STAGES:
        with ProcessPoolExecutor(1, get_context("forkserver")) as own_process:
            costs = own_process.submit(_timed, project.root, stage.name).result()
        files = [path for name in stage.writes for path in _files(project.path(name))]
        size = sum(path.stat().st_size for path in files) / 2**20
        yield StageCost(run, photos, stage.name, *costs, len(files), round(size, 2))


def _timed(root: Path, name: str) -> tuple[float, float, float, float]:
    """Seconds of a stage, of DVC taking its outputs, and the process's peak memory in MiB after either.

    In a run DVC is a process of its own, without the stage's libraries.
    """
    from benchmarks.scale_stubs import nothing_looks_at_pixels

    os.chdir(root)
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - of this process alone
    start = time.perf_counter()
    with nothing_looks_at_pixels():
        run_stage(name, root, execute_here)
    done, peak = time.perf_counter(), _peak()
    _commit(stage_named(name))
    return round(done - start, 2), round(time.perf_counter() - done, 2), peak, _peak()


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _commit(stage: Stage) -> None:
    from dvc.repo import Repo

    with Repo(".") as repo:
        repo.commit(stage.name, force=True)


def _nothing_new(project: Project, photos: int) -> StageCost:
    start = time.perf_counter()
    command = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True)
    if done.returncode or "Running stage" in done.stdout:
        raise SystemExit(f"not nothing new: {done.stdout}{done.stderr}")
    return StageCost(NOTHING_NEW, photos, "all", 0.0, round(time.perf_counter() - start, 2), 0.0, 0.0, 0, 0.0)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]


def start_seconds() -> float:
    """What each stage's process takes to start."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import dvc.repo, flows.stage, tasks.compose"], check=True)
    return round(time.perf_counter() - start, 2)


def summary(costs: Sequence[StageCost]) -> dict[str, Any]:
    """The figures that are promised: per photo and stage, and for whole runs."""
    found: dict[str, Any] = {}
    for photos in sorted({cost.photos for cost in costs}):
        own = [cost for cost in costs if cost.photos == photos]
        runs = {run: [cost for cost in own if cost.run == run] for run in dict.fromkeys(cost.run for cost in own)}
        first = runs["first"]
        per_stage = sum(cost.seconds + cost.dvc_seconds for cost in first) / photos / len(first)
        found[str(photos)] = {
            "milliseconds_per_photo_and_stage": round(1000 * per_stage, 3),
            "peak_mib": max(cost.peak_mib for cost in own),
            "peak_with_dvc_mib": max(cost.peak_with_dvc_mib for cost in own),
            "most_files_of_a_stage": max(cost.files for cost in first if cost.stage != "release"),
            "mib": round(sum(cost.mib for cost in first), 1),
            "seconds": {run: round(sum(c.seconds + c.dvc_seconds for c in of), 1) for run, of in runs.items()},
        }
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="100 photos")
    options = parser.parse_args()
    get_context("forkserver").set_forkserver_preload(["flows.stage", "benchmarks.scale_stubs", "dvc.repo"])
    costs: list[StageCost] = []
    for photos in [100] if options.quick else options.photos:
        with tempfile.TemporaryDirectory() as folder:
            for cost in measure(photos, Path(folder)):
                print(cost, flush=True)
                costs.append(cost)
    result = {
        "start_seconds": start_seconds(),
        "summary": summary(costs),
        "stages": [asdict(cost) for cost in costs],
    }
    print(json.dumps({name: result[name] for name in ("start_seconds", "summary")}, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
