"""Attacks on the command, each answered with one line and an exit code, and nothing changed that was there."""

import fcntl
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from falco_core.project.holding import DVC_LOCK, LOCK_FILE
from falco_core.project.private import link_photos
from flows.commands import main as command
from flows.project import init_project
from tests.flows.runs import BIN

BOMB = "a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\ninput: {photos: *c}\n"
CODE = "input: {photos: !!python/object/apply:os.system ['touch pwned']}\n"


@dataclass(frozen=True)
class Room:
    """A folder of photos, a project that was never run, and a place for everything else."""

    root: Path

    @property
    def photos(self) -> Path:
        return self.root / "photos"

    @property
    def project(self) -> Path:
        return self.root / "project"

    def contents(self, *, records: bool = True) -> dict[str, bytes]:
        """What must not change: every file but who held the project, and what keeps Prefect apart; records: and how a
        stage ended.
        """
        own = (self.project / LOCK_FILE, self.project / ".falco/prefect/profiles.toml")
        files = (path for path in self.root.rglob("*") if path.is_file() and path not in own)
        return {str(path): path.read_bytes() for path in files if records or path.parent.name != "stages"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_bundle_folder: Path) -> Path:
    root = tmp_path_factory.mktemp("attacked")
    (root / "photos").mkdir()
    (root / "photos/a.jpg").write_bytes(b"no photo")
    init_project(root / "project", photos=root / "photos", changes={"bundle": str(tiny_bundle_folder)})
    return root


@pytest.fixture
def room(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    path = tmp_path / "project/params.yaml"
    path.write_text(path.read_text().replace(str(made), str(tmp_path)))
    link_photos(tmp_path / "project", tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    yield Room(tmp_path)
    os.environ.clear()
    os.environ.update(environment)
    while HELD:
        HELD.pop().close()


@dataclass(frozen=True)
class Attack:
    """What is called after what was prepared, and what the one line must say."""

    arguments: str
    words: str
    prepare: Callable[[Room], object] = lambda room: None
    code: int = 2


def params(text: str | bytes) -> Callable[[Room], object]:
    data = text.encode() if isinstance(text, str) else text
    return lambda room: (room.project / "params.yaml").write_bytes(data)


def replaced_by_fifo(name: str) -> Callable[[Room], object]:
    def prepare(room: Room) -> None:
        (room.project / name).unlink()
        os.mkfifo(room.project / name)

    return prepare


def sparse(room: Room) -> None:
    with (room.project / "params.yaml").open("wb") as file:
        file.truncate(10 * 2**30)


def only_specials(room: Room) -> None:
    (room.photos / "a.jpg").unlink()
    os.mkfifo(room.photos / "pipe.jpg")
    (room.photos / "zero.jpg").symlink_to("/dev/zero")


def released_with_notes(room: Room) -> None:
    for place in ("release", ".falco/standing"):
        (room.project / place).mkdir()
        (room.project / place / "manifest.json").write_text('{"falco": "0"}')
    (room.project / "release/notes.txt").write_text("mine")


def other_photos(room: Room) -> None:
    (room.root / "others").mkdir()
    path = room.project / "params.yaml"
    path.write_text(path.read_text().replace(str(room.photos), str(room.root / "others")))


def foreign_pipeline(room: Room) -> None:
    (room.project / "dvc.yaml").write_text("stages: {align: {cmd: touch pwned}}\n")


def linked(name: str) -> Callable[[Room], object]:
    def prepare(room: Room) -> None:
        (room.root / "elsewhere").mkdir()
        (room.root / "elsewhere/report.html").write_text("mine")
        if (room.project / name).exists():
            (room.project / name).rmdir()
        (room.project / name).symlink_to(room.root / "elsewhere")

    return prepare


def dvc_at_work(room: Room) -> None:
    lock = room.project / DVC_LOCK
    lock.parent.mkdir(exist_ok=True)
    HELD.append(lock.open("w"))
    fcntl.flock(HELD[-1], fcntl.LOCK_EX)


HELD: list[IO[str]] = []
RUN = "run photos --out project"
ATTACKS = {
    "a photo folder that is not there": Attack("run nowhere", "nowhere is not a folder"),
    "a photo folder that is a file": Attack("run photos/a.jpg", "is not a folder"),
    "a value that is no YAML": Attack(f"{RUN} -S x=[1", "no value"),
    "a setting without a value": Attack(f"{RUN} -S margin", "KEY=VALUE"),
    "a value of a tag": Attack(f"{RUN} -S bundle=!!python/name:os.system", "no value"),
    "a value of aliases": Attack(f"{RUN} -S bundle=[&a,*a]", "aliases"),
    "a value of many levels": Attack(f"{RUN} -S bundle={'[' * 5000}", "nested deeper"),
    "a number that is none": Attack(f"{RUN} -S anonymize.margin=.nan", "anonymize.margin"),
    "a number without end": Attack(f"{RUN} -S anonymize.steps=1{'0' * 400}", "anonymize.steps"),
    "a number too long for Python": Attack(f"{RUN} -S anonymize.steps={'9' * 9000}", "no value"),
    "a date that is none": Attack(f"{RUN} -S bundle=2001-99-99", "no value"),
    "a section instead of a value": Attack(f"{RUN} -S anonymize=1", "anonymize"),
    "a key below a value": Attack(f"{RUN} -S bundle.name=x", "not a section"),
    "an unknown key with a terminal's commands in it": Attack(f"{RUN} -S x\x1b[2Jy=1", "x?[2Jy: unknown key"),
    "an unknown store": Attack(f"{RUN} -S store.path=gopher://x/y", "store.path: gopher://x/y cannot be opened"),
    "an out that is a file": Attack("run photos --out photos/a.jpg", "inside the photo folder"),
    "an out that is another file": Attack(
        "run photos --out file", "is a file", lambda room: (room.root / "file").touch()
    ),
    "an out below a file": Attack(
        "run photos --out file/deep/project", "is a file", lambda room: (room.root / "file").touch()
    ),
    "an out where nobody may write": Attack("run photos --out /proc/falco", "/proc/falco"),
    "an out among the photos": Attack("run photos --out photos/project", "inside the photo folder"),
    "photos among what is made of them": Attack(
        "run project/data --out project", "where falco writes", lambda room: (room.project / "data/a.jpg").touch()
    ),
    "nothing but a FIFO and an endless link": Attack(RUN, "no photos", only_specials),
    "parameters that are no text": Attack(RUN, "not UTF-8", params(b"\xff\xfe\x00")),
    "parameters that are a FIFO": Attack(RUN, "params.yaml", replaced_by_fifo("params.yaml")),
    "parameters that unfold": Attack(RUN, "aliases", params(BOMB)),
    "parameters that call code": Attack(RUN, "python/object/apply", params(CODE)),
    "parameters without an end": Attack(RUN, "longer than", sparse),
    "parameters of many levels": Attack(RUN, "nested deeper", params("input: " + "{a: " * 3000)),
    "parameters that are a list": Attack(RUN, "expected sections", params("- a\n")),
    "parameters that are a NUL": Attack(RUN, "not readable", params("\x00")),
    "parameters with a key twice": Attack(RUN, "params.yaml", params("bundle: a\nbundle: b\n")),
    "a stage of parameters that unfold": Attack("stage align --project project", "aliases", params(BOMB)),
    "a stage that there is not": Attack("stage ../../x --project project", "choose from align"),
    "a stage of no project": Attack("stage align --project photos", "falco run"),
    "a stage with another photo folder than DVC saw": Attack(
        "stage align --project project", "changed by hand", other_photos
    ),
    "pins of somebody else": Attack(
        "stage align --project project", "falco init", lambda room: (room.project / "pins.yaml").write_text(BOMB)
    ),
    "pins that are a FIFO": Attack("stage align --project project", "falco init", replaced_by_fifo("pins.yaml")),
    "tables that are not there": Attack("stage invert --project project", "is missing"),
    "metrics that are none": Attack(
        "stage gate --project project",
        "not what validate wrote",
        lambda room: (room.project / "reports/metrics.json").write_text("[" * 10000),
    ),
    "metrics that compare with nothing": Attack(
        "stage gate --project project",
        "not what validate wrote",
        lambda room: (room.project / "reports/metrics.json").write_text('{"photos": NaN}'),
    ),
    "metrics that are a FIFO": Attack(
        "stage gate --project project",
        "not what validate wrote",
        lambda room: os.mkfifo(room.project / "reports/metrics.json"),
    ),
    "a pipeline of somebody else": Attack(RUN, "dvc.yaml is not falco's", foreign_pipeline),
    "somebody's file in the release": Attack(RUN, "notes.txt is not falco's", released_with_notes),
    "a folder of falco's that leads elsewhere": Attack(RUN, "reports is a link", linked("reports")),
    "a release that leads elsewhere": Attack(RUN, "release is a link", linked("release")),
    "a project that DVC is at work on": Attack(f"{RUN} -S anonymize.margin=0.3", "in use by DVC", dvc_at_work),
    "a bundle that is not there": Attack(f"{RUN} --bundle nowhere", "no bundle at nowhere"),
    "forgetting outside of the photos": Attack("forget ../photos/../mine.jpg --delete --project project", "not in the"),
    "forgetting the photo folder": Attack("forget . --delete --project project", "not in the photo folder"),
    "forgetting in no project": Attack("forget a.jpg --project photos", "falco run"),
    "a registry that is a list": Attack(
        "models list --registry list.yaml", "registry", lambda room: (room.root / "list.yaml").write_text("- a\n")
    ),
    "a registry that unfolds": Attack(
        "models list --registry bomb.yaml", "aliases", lambda room: (room.root / "bomb.yaml").write_text(BOMB)
    ),
    "a face whose name leads out": Attack("show ../../x --project project", "has not been run"),
}


def call(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[str], str]:
    """The command in this process: exit code, lines of its standard error, standard output."""
    monkeypatch.setattr(command, "interruptible", nullcontext)
    monkeypatch.setattr(sys, "argv", ["falco", *arguments])
    with pytest.raises(SystemExit) as left:
        command.main()
    said = capsys.readouterr()
    return int(left.value.code or 0), said.err.splitlines(), said.out


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_one_line_and_changes_nothing(
    name: str, room: Room, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attack = ATTACKS[name]
    (room.root / "mine.jpg").write_bytes(b"mine")
    attack.prepare(room)
    before = room.contents(records=False) if name != "parameters without an end" else {}
    code, lines, _ = call(attack.arguments.split(" "), monkeypatch, capsys)
    assert code == attack.code, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith("falco: ")
    assert attack.words in lines[0]
    assert len(lines[0]) < 1500
    assert lines[0].isprintable()
    if before:
        assert room.contents(records=False) == before
    assert not list(room.root.rglob("pwned"))


@pytest.mark.parametrize(
    "arguments",
    [
        "run photos --out project -S anonymize.margin=0.3",
        "init project -S anonymize.margin=0.3",
        "stage align --project project",
        "forget photos/a.jpg --delete --project project",
        "gc --project project",
    ],
)
def test_who_comes_second_is_told_who_is_there_and_changes_nothing(
    arguments: str, room: Room, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = room.contents()
    with (room.project / LOCK_FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write('{"token": "t", "pid": 4711, "host": "there", "command": "falco run", "since": "noon"}')
        file.flush()
        code, lines, _ = call(arguments.split(" "), monkeypatch, capsys)
    assert code == 2
    assert len(lines) == 1
    assert "is in use by falco run, process 4711 on there, since noon" in lines[0]
    assert room.contents() == before


def test_what_nobody_expected_is_a_line_that_names_a_log(
    room: Room, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("flows.project.plan_project", lambda *_, **__: 1 / 0)
    code, lines, _ = call(RUN.split(" "), monkeypatch, capsys)
    assert code == 1
    assert len(lines) == 1
    log = Path(next(word for word in lines[0].split() if word.startswith(str(tmp_path))))
    assert "ZeroDivisionError" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_a_full_disk_is_one_line_and_leaves_what_was_there(room: Room) -> None:
    before = (room.project / "params.yaml").read_bytes()
    done = subprocess.run(
        [str(BIN / "falco"), "init", "project", "-S", "anonymize.margin=0.25"],
        cwd=room.root,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)),
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "the disk takes no more" in done.stderr
    assert (room.project / "params.yaml").read_bytes() == before
    assert not list(room.project.glob(".params.yaml.*"))


def test_a_reader_that_has_gone_is_no_traceback(room: Room) -> None:
    done = subprocess.run(
        f"{BIN / 'falco'} models list | true", shell=True, cwd=room.root, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
