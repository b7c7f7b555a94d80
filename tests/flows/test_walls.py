"""Whole runs in which something goes wrong, on a bundle of random weights: minutes."""

import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import artifacts
from tests.flows.runs import BIN, call
from tests.tasks.test_kills import SETTINGS
from tests.tasks.test_stages import small_copy

pytestmark = pytest.mark.slow

FAULT = """
import sys
if sys.orig_argv[-2:] == ["stage", "align"]:
    import falco_core.faces.aligned as aligned
    align_photo = aligned.align_photo
    def fail(photo, *others, **named):
        if photo.pixels.shape[0] < 130:
            raise ValueError("odd photo")
        return align_photo(photo, *others, **named)
    aligned.align_photo = fail
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, demo_photos: Path, tiny_bundle_folder: Path) -> Path:
    """A finished run: photos/ and project/."""
    root = tmp_path_factory.mktemp("walls")
    (root / "photos").mkdir()
    for name in ("open_sky.png", "park_bench.jpg"):
        small_copy(demo_photos / name, root / "photos" / name)
    options = [f"-S{key}={value}" for key, value in {**SETTINGS, "judges.gate": "[dlib]"}.items()]
    done = call("falco", "run", "photos", "--bundle", tiny_bundle_folder, *options, "--out", "project", cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True, symlinks=True)
    return tmp_path


def run(root: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    return call("falco", "run", "photos", "--out", "project", *(f"-S{each}" for each in settings), cwd=root)


def released(root: Path) -> dict[str, bytes]:
    folder = root / "project/release"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def processes_of(root: Path) -> list[str]:
    """Every process that works in `root`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().decode(errors="replace")
            cwd = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(root / "project") in environment or cwd.startswith(str(root)):
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_a_closed_gate_is_code_3_and_leaves_the_last_release(root: Path) -> None:
    before = released(root)
    (root / "photos/broken.jpg").write_bytes(b"no photo")
    done = run(root, "gate.max_withheld_rate=0.1")
    assert done.returncode == 3, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "the gate is closed" in done.stderr
    assert "is still the one of before" in done.stdout
    assert released(root) == before
    again = call("dvc", "repro", cwd=root / "project")
    assert again.returncode != 0
    assert released(root) == before


def test_a_failed_photo_is_tried_again_by_the_next_run_dvcs_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(root / "project/.falco/store")
    (root / "project/dvc.lock").unlink()
    shutil.rmtree(root / "project/.dvc/cache", ignore_errors=True)
    small = sorted((root / "photos").iterdir(), key=lambda path: path.stat().st_size)
    (root / "fault").mkdir()
    (root / "fault/sitecustomize.py").write_text(FAULT.replace("< 130", "> 0"))
    before = released(root)
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(root / "fault"), os.environ.get("PYTHONPATH", "")]))
        broken = run(root)
        assert broken.returncode == 2, broken.stdout + broken.stderr
        assert "2 of 2 photos failed" in broken.stderr
        assert released(root) == before, "a failed stage leaves the last release"
        small[0].rename(root / "aside.png")
        done = run(root)
        assert done.returncode == 3, "the one photo that is left fails"
    assert set(artifacts.reasons(root / "project").values()) == {"failed"}
    assert "align" in call("dvc", "status", cwd=root / "project").stdout
    again = call("dvc", "repro", cwd=root / "project")
    assert again.returncode == 0, again.stdout + again.stderr
    assert artifacts.reasons(root / "project") == {}
    assert "up to date" in call("dvc", "status", cwd=root / "project").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_running_and_goes_on(root: Path, number: signal.Signals) -> None:
    before = released(root)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["falco", "run", "photos", "--out", "project", "-S", "anonymize.steps=3"],
        cwd=root,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None and process.stderr is not None
    while not process.stdout.readline().startswith("anonymize: "):
        assert process.poll() is None
    second = run(root, "anonymize.margin=0.4")
    assert second.returncode == 2
    assert "is in use by falco run" in second.stderr
    start = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert time.monotonic() - start < 5
    assert process.returncode == 128 + number
    assert len(said.splitlines()) == 1
    time.sleep(0.5)
    assert processes_of(root) == []
    assert released(root) == before
    assert "margin: 0.0" in (root / "project/params.yaml").read_text()
    done = run(root)
    assert done.returncode == 0, done.stdout + done.stderr


def test_code_that_lies_about_is_not_run(root: Path) -> None:
    planted = "open(__file__ + '.pwned', 'w')\nraise SystemExit('planted code ran')\n"
    for folder in (root, root / "project", root / "photos"):
        for name in ("types", "tasks", "dvc", "flows", "falco_core", "prefect", "uvicorn", "sitecustomize"):
            (folder / f"{name}.py").write_text(planted)
        (folder / ".env").write_text("PREFECT_API_URL=http://192.0.2.1/api\n")
    (root / "photos/dvc.yaml").write_text("stages: {align: {cmd: touch pwned}}\n")
    os.mkfifo(root / "photos/pipe.jpg")
    done = run(root, "anonymize.steps=4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 × a FIFO (pipe.jpg)" in done.stdout
    assert not list(root.rglob("*pwned"))
    assert call("dvc", "repro", cwd=root / "project").returncode == 0
    assert not list(root.rglob("*pwned"))


def test_versions_can_be_compared(root: Path) -> None:
    project = root / "project"
    for command in (("add", "."), ("-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first")):
        assert call("git", *command, cwd=project).returncode == 0
    call("falco", "init", project, "-S", "anonymize.margin=0.3", cwd=root)
    assert "anonymize.margin" in call("dvc", "params", "diff", cwd=project).stdout
    assert call("dvc", "metrics", "diff", cwd=project).returncode == 0


def test_a_terminal_gets_a_bar_with_rate_and_time_left(root: Path) -> None:
    own, terminal = pty.openpty()
    process = subprocess.Popen(
        [str(BIN / "falco"), "run", "photos", "--out", "project", "-S", "sample.count=7"],
        cwd=root,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            data = os.read(own, 65536)
        except OSError:
            break
        shown += data
    assert process.wait() == 0, shown[-2000:]
    text = shown.decode(errors="replace")
    assert "\u2501" in text, "a bar"
    assert "2 of 2 photos released" in text
    assert "batch 1 of" not in text
