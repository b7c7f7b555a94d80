"""Versions: made once when anything is new, never twice, whoever asks and however often."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from falco_core.errors import ProjectError
from falco_core.project.folder import Project
from falco_core.store.artifact import read_table, write_table
from falco_core.store.rows import PhotoFile
from flows.project import init_project
from flows.records import read_record
from flows.versions import changes_since, check_git, is_version, latest_tag, make_version
from tests.flows.prefect_server import ROOT
from tests.flows.runs import BIN, Run, call
from tests.tasks import results
from tests.tasks.test_stages import small_copy


@pytest.fixture
def finished(run: Run, tmp_path: Path) -> Project:
    """A copy of a finished project."""
    return Project.open(Path(shutil.copytree(run.project, tmp_path / "project", symlinks=True)))


def test_a_version_is_a_commit_and_a_tag_that_name_nobody(finished: Project, run: Run) -> None:
    root = finished.root
    check_git(root)
    assert latest_tag(root) is None
    version = make_version(finished, None)
    assert (version.tag, latest_tag(root)) == ("dataset/v1", "dataset/v1")
    assert is_version(root, version.tag)
    total = len(run.released) + len(run.reasons)
    assert (
        str(version) == f"dataset/v1: {total} photos new, 0 changed, 0 removed; {len(run.released)} of {total} released"
    )
    assert call("git", "status", "--porcelain", cwd=root).stdout == ""
    tracked = call("git", "ls-files", cwd=root).stdout.split()
    assert {"dvc.lock", "reports/metrics.json", "reports/plots/similarity.csv"} <= set(tracked)
    assert not [name for name in tracked if name.startswith(("data", "release", "reports/report", "reports/contact"))]
    shown = call("git", "log", "-p", "--format=%B", "--all", cwd=root).stdout
    shown += call("git", "tag", "-n9", cwd=root).stdout
    for photo in (*run.released, *run.reasons):
        assert Path(photo).stem not in shown, photo


def test_a_version_says_which_parameters_changed_and_how_many_photos(finished: Project) -> None:
    root = finished.root
    first = make_version(finished, None)
    init_project(root, photos=None, changes={"validate.outline": True})
    table = root / "data/photos.parquet"
    rows = list(read_table(table, PhotoFile))
    assert str(changes_since(finished, first.tag)) == "0 photos new, 0 changed, 0 removed"
    table.unlink()  # DVC's cache may be linked to it
    write_table(table, [*rows[2:], replace(rows[1], sha256="f" * 64), PhotoFile("new.jpg", "e" * 64)], PhotoFile)
    assert str(changes_since(finished, first.tag)) == "1 photos new, 1 changed, 1 removed"
    second = make_version(Project.open(root), first.tag)
    assert second.tag == "dataset/v2"
    assert "Parameters changed since dataset/v1: validate.outline" in second.message


def test_without_git_there_are_no_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProjectError, match="not in a git repository"):
        check_git(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProjectError, match="versions are kept in git"):
        check_git(tmp_path)


@pytest.fixture
def served(tmp_path: Path, demo_photos: Path, tiny_bundle_folder: Path) -> Iterator["Served"]:
    """`falco serve` with a refresh at every minute, as a user starts it."""
    (tmp_path / "photos").mkdir()
    small_copy(demo_photos / "open_sky.png", tmp_path / "photos" / "anna.png")
    settings = {**results.SETTINGS, "bundle": str(tiny_bundle_folder)}
    project = init_project(tmp_path / "project", photos=tmp_path / "photos", changes=settings).root
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    environment.pop("PREFECT_API_URL", None)
    home = tmp_path / "server"
    command = [BIN / "falco", "serve", project, "--cron", "* * * * *", "--port", "0", "--home", home]
    with subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            yield Served(url, (home / "password").read_text().strip(), project, process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


class Served:
    def __init__(self, url: str, password: str, project: Path, process: "subprocess.Popen[str]") -> None:
        self.url, self.project, self.process = url, project, process
        user, _, secret = password.partition(":")
        self._client = httpx.Client(base_url=f"{url}/api/", auth=(user, secret), timeout=30, trust_env=False)

    def ask(self, path: str, content: Any = None) -> Any:
        return self._client.post(path, json=content or {}).raise_for_status().json()

    def runs(self) -> list[dict[str, Any]]:
        """Runs of the refresh that have begun, the first one first."""
        found = self.ask(
            "flow_runs/filter", {"flows": {"name": {"any_": ["refresh-dataset"]}}, "sort": "START_TIME_ASC"}
        )
        return [each for each in found if each["start_time"]]

    def tags(self) -> list[str]:
        return call("git", "tag", cwd=self.project).stdout.split()

    def wait(self, what: str) -> None:
        """Until the newest run has ended with a state of that name."""
        deadline = time.monotonic() + 240
        while what not in [run["state_name"] for run in self.runs()]:
            assert time.monotonic() < deadline, self.runs()
            time.sleep(1)


@pytest.mark.slow
def test_the_schedule_makes_one_version_and_two_at_once_do_not_overlap(served: Served) -> None:
    served.wait("Completed")
    assert served.tags() == ["dataset/v1"]
    served.wait("Unchanged")
    assert served.tags() == ["dataset/v1"]
    photos = served.project.parent / "photos"
    small_copy(photos / "anna.png", photos / "bertha.png")
    deployment = served._client.get("deployments/name/refresh-dataset/project").json()["id"]
    for _ in range(2):
        served.ask(f"deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    deadline = time.monotonic() + 240
    while "dataset/v2" not in served.tags():
        assert time.monotonic() < deadline, served.runs()
        time.sleep(1)
    time.sleep(20)
    assert served.tags() == ["dataset/v1", "dataset/v2"]
    ended = [run for run in served.runs() if run["end_time"]]
    assert [run["state_name"] for run in ended].count("Completed") == 2
    spans = sorted((run["start_time"], run["end_time"]) for run in ended)
    assert all(first[1] <= second[0] for first, second in pairwise(spans)), "two at once"


@pytest.mark.slow
def test_of_sixty_photos_only_what_is_new_is_computed(
    tmp_path: Path, demo_photos: Path, tiny_bundle_folder: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(60):
        small_copy(demo_photos / "open_sky.png", photos / f"{number:02d}.png")
        _stamp(photos / f"{number:02d}.png", number)
    settings = [f"-S{key}={json.dumps(value)}" for key, value in results.SETTINGS.items()]
    command = ["falco", "run", photos, "--out", tmp_path / "project", "--bundle", tiny_bundle_folder, *settings]
    done = call(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    project = tmp_path / "project"
    before = _release(project)
    assert len(before) == 60
    (photos / "00.png").unlink()
    _stamp(photos / "01.png", 101)
    small_copy(demo_photos / "open_sky.png", photos / "60.png")
    _stamp(photos / "60.png", 102)
    done = call(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for stage in ("align", "invert", "anonymize", "compose"):
        record = read_record(project, stage)
        assert record is not None
        assert (record.total, record.computed) == (60, 2), stage
    after = _release(project)
    assert before.keys() - after.keys() == {"00.png"}
    assert after.keys() - before.keys() == {"60.png"}
    unchanged = before.keys() & after.keys() - {"01.png"}
    assert all(after[name] == before[name] for name in unchanged), "written again"
    assert after["01.png"][2] != before["01.png"][2]


def _stamp(path: Path, number: int) -> None:
    """Another photo for each number: a pixel at the border."""
    from PIL import Image

    with Image.open(path) as image:
        image.putpixel((number % image.width, 0), (number % 256, 7, 9))
        image.save(path)


def _release(project: Path) -> dict[str, tuple[int, int, bytes]]:
    """Name -> inode, time, bytes."""
    files = sorted((project / "release/photos").iterdir())
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files}
