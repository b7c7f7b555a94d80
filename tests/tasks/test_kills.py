"""A killed stage goes on where it was, and leaves the bytes that an undisturbed run leaves."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from falco_core.project.stages import STAGES, stage_named
from flows.project import init_project
from tests.flows.runs import BIN
from tests.tasks import results
from tests.tasks.test_stages import small_copy

ROOT = Path(__file__).parents[2]
NAMES = [stage.name for stage in STAGES]
SETTINGS = {**results.SETTINGS, "sample.batch_size": 1, "invert.batch_size": 1, "anonymize.batch_size": 1}


def start(project: Path, stage: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": ""}
    command = [str(BIN / "falco"), "stage", stage]
    return subprocess.Popen(
        command, cwd=project, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(project: Path, stage: str) -> str:
    process = start(project, stage)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def artifacts(project: Path, stage: str) -> dict[str, bytes]:
    paths = [path for name in stage_named(stage).writes for path in sorted((project / name).rglob("*"))]
    paths += [project / name for name in stage_named(stage).writes if (project / name).is_file()]
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, demo_photos: Path, tiny_bundle_folder: Path) -> Path:
    root = tmp_path_factory.mktemp("kills")
    (root / "photos").mkdir()
    for name in ("open_sky.png", "park_bench.jpg", "office_window.png"):
        small_copy(demo_photos / name, root / "photos" / name)
    project(root, "undisturbed", tiny_bundle_folder)
    return root


def project(root: Path, name: str, bundle: Path) -> Path:
    init_project(root / name, photos=root / "photos", changes={"bundle": str(bundle), **SETTINGS})
    return root / name


def kill_and_finish(undisturbed: Path, bundle: Path, name: str, stages: list[str], kills: int) -> None:
    whole, killed = undisturbed / "undisturbed", project(undisturbed, name, bundle)
    dice = random.Random(name)
    for stage in NAMES:
        if not (whole / stage_named(stage).writes[0]).exists():
            finish(whole, stage)
        for _ in range(kills if stage in stages else 0):
            process = start(killed, stage)
            # Most of the time goes into starting: kills shall hit the work, too.
            deadline = time.monotonic() + dice.uniform(0.5, 12)
            while time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
        finish(killed, stage)
        assert artifacts(killed, stage) == artifacts(whole, stage), stage
        assert not list((killed / "data").glob(".*.partial")), stage


@pytest.mark.slow
def test_stages_that_were_killed_leave_the_same_bytes(undisturbed: Path, tiny_bundle_folder: Path) -> None:
    kill_and_finish(undisturbed, tiny_bundle_folder, "killed", ["invert", "anonymize", "compose"], kills=1)


@pytest.mark.slow
def test_stages_that_were_killed_ten_times_leave_the_same_bytes(undisturbed: Path, tiny_bundle_folder: Path) -> None:
    kill_and_finish(undisturbed, tiny_bundle_folder, "killed-often", NAMES, kills=10)
