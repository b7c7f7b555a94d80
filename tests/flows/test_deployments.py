"""Two doors to one room: what a deployment's run does, seen from a real server and worker, and from DVC."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from falco_core.project.stages import STAGES
from flows.project import init_project
from tests.flows.prefect_server import Server, processes_of, server, worker
from tests.flows.runs import call
from tests.tasks import results
from tests.tasks.test_stages import small_copy

NAMES = [stage.name for stage in STAGES]
PHOTO = "grandmother_anna.png"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, demo_photos: Path) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    small_copy(demo_photos / "open_sky.png", folder / PHOTO)
    (folder / "broken_bertha.jpg").write_bytes(b"broken")
    return folder


@pytest.fixture(scope="module")
def settings(tiny_bundle_folder: Path) -> dict[str, Any]:
    return {**results.SETTINGS, "bundle": str(tiny_bundle_folder)}


@pytest.fixture(scope="module")
def by_dvc(tmp_path_factory: pytest.TempPathFactory, photos: Path, settings: dict[str, Any]) -> Path:
    """A project that DVC alone brought up to date."""
    project = tmp_path_factory.mktemp("by-dvc") / "project"
    init_project(project, photos=photos, changes=settings)
    done = call("dvc", "repro", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the deployments of prefect.yaml, and a worker."""
    with server(tmp_path_factory.mktemp("prefect")) as made:
        made.call("work-pool", "create", "falco", "--type", "process")
        made.call("deploy", "--all")
        with worker(made):
            yield made


def hashes(project: Path) -> dict[str, Any]:
    """What DVC keeps of each stage."""
    lock: dict[str, Any] = yaml.safe_load((project / "dvc.lock").read_text())
    return dict(lock["stages"])


def released(project: Path) -> dict[str, tuple[int, int, bytes]]:
    """Name -> inode, time, bytes."""
    files = sorted((project / "release/photos").rglob("*.*"))
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_after_dvc_a_deployments_run_has_nothing_to_do(by_dvc: Path, prefect: Server) -> None:
    assert prefect.ask("GET", "../ui-settings")["api_url"] == prefect.url, "the UI asks another server"
    before, files = hashes(by_dvc), released(by_dvc)
    run, state = prefect.run("anonymize-dataset/dataset", {"project": str(by_dvc)})
    assert state["type"] == "COMPLETED", state
    assert prefect.task_states(run) == dict.fromkeys(NAMES, "Cached")
    assert prefect.nested(run) == {}
    assert hashes(by_dvc) == before
    assert released(by_dvc) == files


def test_a_deployments_run_leaves_dvc_nothing_to_do_and_the_same_hashes(
    by_dvc: Path, prefect: Server, photos: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    project = tmp_path / "another"
    parameters = {"project": str(project), "photos": str(photos), "settings": settings}
    run, state = prefect.run("anonymize-dataset/dataset", parameters)
    assert state["type"] == "COMPLETED", state
    assert prefect.task_states(run) == dict.fromkeys(NAMES, "Completed")
    assert prefect.nested(run) == dict.fromkeys(NAMES, "Completed"), "stages are runs below the run"
    assert "up to date" in call("dvc", "status", cwd=project).stdout
    assert "Running stage" not in call("dvc", "repro", cwd=project).stdout
    assert hashes(project) == hashes(by_dvc)
    shown = prefect.artifacts()
    for key in ("metrics", "withheld", "sheet", "report", "align-progress", "compose-progress"):
        assert f"another-{key}" in shown, shown.keys()
    assert "undecodable" in shown["another-withheld"]["data"]
    assert "data:image/jpeg;base64," in shown["another-sheet"]["data"]
    assert prefect.events("falco.release.made") >= 1
    kept = prefect.everything()
    assert b"open_sky" not in kept
    for secret in ("anna", "bertha"):
        assert secret.encode() not in kept, "the server knows a photo's name"


def test_what_a_run_is_told_is_checked_and_a_closed_gate_is_an_event(
    by_dvc: Path, prefect: Server, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(by_dvc, tmp_path / "project", symlinks=True))
    for wrong, words in (({"anonymize.margin": 7}, "anonymize.margin"), ({"marginn": 0}, "marginn")):
        _, state = prefect.run("anonymize-dataset/dataset", {"project": str(project), "settings": wrong})
        assert state["type"] == "FAILED"
        assert words in state["message"]
    found = prefect.ask("GET", "deployments/name/anonymize-dataset/dataset")
    schema = found["parameter_openapi_schema"]["properties"]
    assert {name: schema[name].get("format") for name in ("project", "photos")} == {"project": "path", "photos": None}
    assert "margin" in schema["settings"]["description"]
    settings = {"gate.max_withheld_rate": 0.1}
    run, state = prefect.run("anonymize-dataset/dataset", {"project": str(project), "settings": settings})
    assert state["type"] == "FAILED"
    assert "stage gate failed: the gate is closed" in state["message"]
    assert prefect.task_states(run)["gate"] == "Failed"
    assert prefect.events("falco.gate.closed") == 1
    assert released(project).keys() == released(by_dvc).keys(), "the last release stays"


@pytest.mark.slow
def test_a_cancelled_run_leaves_no_process(prefect: Server, by_dvc: Path, tmp_path: Path) -> None:
    project = _started_anew(by_dvc, tmp_path)
    run = prefect.start("anonymize-dataset/dataset", {"project": str(project)})
    _wait_for_stage(project)
    prefect.ask("POST", f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    assert prefect.end_of(run)["type"] == "CANCELLED"
    assert _gone(project)
    _finishes_equal(prefect, project, by_dvc)


@pytest.mark.slow
def test_a_killed_stage_a_killed_dvc_and_a_killed_run_cost_one_more_run(
    prefect: Server, by_dvc: Path, tmp_path: Path
) -> None:
    for who in ("falco stage", "dvc repro", "prefect.engine"):
        project = _started_anew(by_dvc, tmp_path / who.replace(" ", "-"))
        run = prefect.start("anonymize-dataset/dataset", {"project": str(project)})
        _wait_for_stage(project)
        _kill(who, project)
        if who != "prefect.engine":
            assert prefect.end_of(run)["type"] == "FAILED"
        assert _gone(project)
        _finishes_equal(prefect, project, by_dvc)


@pytest.mark.slow
def test_a_killed_server_and_a_killed_worker_cost_one_more_run(by_dvc: Path, tmp_path: Path) -> None:
    project = _started_anew(by_dvc, tmp_path)
    with server(tmp_path / "first") as first:
        first.call("work-pool", "create", "falco", "--type", "process")
        first.call("deploy", "--all")
        with worker(first) as working:
            first.start("anonymize-dataset/dataset", {"project": str(project)})
            _wait_for_stage(project)
            first.process.kill()
            working.kill()
    done = call("dvc", "repro", cwd=project)
    for _ in range(20):
        if done.returncode == 0:
            break
        time.sleep(5)  # the run without a server still holds the project
        done = call("dvc", "repro", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert hashes(project) == hashes(by_dvc)


def _started_anew(finished: Path, folder: Path) -> Path:
    """A project with all of it still to do."""
    project = Path(shutil.copytree(finished, folder / "project", symlinks=True))
    for name in ("data", "reports", "release", ".falco/store", ".falco/stages", ".falco/standing", ".dvc/cache"):
        shutil.rmtree(project / name, ignore_errors=True)
    (project / "dvc.lock").unlink()
    return project


def _wait_for_stage(project: Path) -> None:
    deadline = time.monotonic() + 120
    while not (project / ".falco/stages/invert.json").exists():
        assert time.monotonic() < deadline, "no stage began"
        time.sleep(0.1)
    assert processes_of(project), "nobody is at work"


def _kill(who: str, project: Path) -> None:
    """Kill the stage, its DVC, or the process of the flow run, which started that."""
    at_work = processes_of(project)
    ours = [*at_work, *(parent for process in at_work for parent in process.parents())]
    chosen = {process for process in ours if who in " ".join(process.cmdline()).replace("-m dvc", "dvc")}
    assert chosen, [process.cmdline() for process in ours]
    for process in chosen:
        process.send_signal(signal.SIGKILL)


def _gone(project: Path) -> bool:
    deadline = time.monotonic() + 30
    while processes_of(project) and time.monotonic() < deadline:
        time.sleep(0.5)
    return not processes_of(project)


def _finishes_equal(prefect: Server, project: Path, other: Path) -> None:
    _, state = prefect.run("anonymize-dataset/dataset", {"project": str(project)})
    assert state["type"] == "COMPLETED", state
    assert hashes(project) == hashes(other)
