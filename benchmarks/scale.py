"""What the house costs: everything but networks and codecs, for many photos.

    python -m benchmarks.scale --photos 1000 10000 100000 --json benchmarks/scale.json
    python -m benchmarks.scale --quick --json FILE        # ends within 50 seconds

A real project with a real DVC repository, whose stages are the real ones; only what looks at pixels is replaced by
something that answers at once with rows of the usual size (one face per photo). Four runs per size: the first, one
with nothing new, one with a photo more, one with a photo less.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from falco_core.project.folder import Project
from falco_core.project.stages import STAGES
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


@dataclass(frozen=True)
class StageCost:
    """One stage of one run: seconds in all, of these in DVC, peak memory, files and bytes that it wrote."""

    run: str
    photos: int
    stage: str
    seconds: float
    dvc_seconds: float
    peak_mib: float
    files: int
    mib: float


def measure(photos: int) -> Iterator[StageCost]:
    """All four runs over so many photos."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(photos):
            _write_photo(root / "photos", number)
        project = init_project(root / "project", photos=root / "photos", changes=SETTINGS)
        _call_this_benchmark(project.root)
        yield from _run(project, "first", photos)
        yield from _run(project, "nothing new", photos)
        _write_photo(root / "photos", photos)
        yield from _run(project, "one more", photos)
        (root / "photos" / "00" / "0.png").unlink()
        yield from _run(project, "one less", photos)


def _write_photo(folder: Path, number: int) -> None:
    path = folder / f"{number % 100:02d}" / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a photo, number %d" % number)


def _call_this_benchmark(root: Path) -> None:
    text = (root / "dvc.yaml").read_text()
    assert text.count("python -m flows.stage") == len(STAGES)
    (root / "dvc.yaml").write_text(text.replace("python -m flows.stage", f"{sys.executable} -m benchmarks.scale stage"))


def _run(project: Project, run: str, photos: int) -> Iterator[StageCost]:
    for stage in STAGES:
        note = project.root / "cost.json"
        note.unlink(missing_ok=True)
        start = time.perf_counter()
        command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--quiet", stage.name]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "FALCO_SCALE_NOTE": str(note)}
        done = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        own = json.loads(note.read_text()) if note.exists() else {"seconds": 0.0, "peak_mib": 0.0}
        files = [p for name in stage.writes for p in _files(project.path(name))]
        size = sum(path.stat().st_size for path in files) / 2**20
        yield StageCost(
            run, photos, stage.name, round(seconds, 2), round(seconds - own["seconds"], 2), own["peak_mib"], len(files),
            round(size, 2),
        )  # fmt: skip


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]


def run_stubbed(name: str) -> None:
    """One stage of the project in this folder, with nothing that looks at pixels."""
    from benchmarks.scale_stubs import nothing_looks_at_pixels

    start = time.perf_counter()
    with nothing_looks_at_pixels():
        report = run_stage(name, Path.cwd(), execute_here)
    print(report)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    note = {"seconds": time.perf_counter() - start, "peak_mib": round(peak, 1)}
    Path(os.environ["FALCO_SCALE_NOTE"]).write_text(json.dumps(note))


def summary(costs: list[StageCost]) -> dict[str, Any]:
    """The figures that are promised: per photo and stage, and for whole runs."""
    found: dict[str, Any] = {}
    for photos in sorted({cost.photos for cost in costs}):
        of_run = {run: [c for c in costs if (c.photos, c.run) == (photos, run)] for run in {c.run for c in costs}}
        first = of_run["first"]
        found[str(photos)] = {
            "milliseconds_per_photo_and_stage": round(1000 * sum(c.seconds for c in first) / photos / len(first), 3),
            "peak_mib": max(cost.peak_mib for cost in first),
            "most_files_of_a_stage": max(cost.files for cost in first if cost.stage != "release"),
            "mib": round(sum(cost.mib for cost in first), 1),
            **{f"seconds_{run.replace(' ', '_')}": round(sum(c.seconds for c in of_run[run]), 1) for run in of_run},
        }
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--photos", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.what:
        run_stubbed(options.what[1])
        return
    costs: list[StageCost] = []
    for photos in [60] if options.quick else options.photos:
        for cost in measure(photos):
            print(cost, flush=True)
            costs.append(cost)
    result = {"summary": summary(costs), "stages": [asdict(cost) for cost in costs]}
    print(json.dumps(result["summary"], indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
