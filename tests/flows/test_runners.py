"""Where batches are computed changes no byte; what is lost with a worker runs elsewhere; nothing stays behind."""

import os
import pickle
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from dask.system import CPU_COUNT
from distributed import LocalCluster
from prefect.task_runners import ThreadPoolTaskRunner
from prefect_dask.task_runners import DaskTaskRunner

import flows.dask_runner
from falco_core.anonymize.pool import fake_id
from falco_core.errors import ParamsError, ProjectError, UnreadablePhoto
from falco_core.project.folder import Project
from falco_core.project.params import RunParams
from falco_core.project.stages import STAGES, stage_named
from falco_core.project.work import Entry
from falco_core.reasons import Reason
from falco_core.store.kept import KeptWork
from falco_core.store.rows import Fake
from flows.dask_runner import Dask
from flows.dask_worker import portable
from flows.project import init_project
from flows.runners import BatchFailed, runner_for
from flows.server import HOME, prefect_world
from flows.stage import run_stage
from tasks.units import PER_GROUP, Unit, compute, units_of
from tests.flows.runs import BIN
from tests.flows.worker_hooks import BROKEN, MARKS, SLOW
from tests.tasks import results
from tests.tasks.test_kills import artifacts
from tests.tasks.test_stages import small_copy

ROOT = Path(__file__).parents[2]
NAMES = [stage.name for stage in STAGES]
SETTINGS = {
    **results.SETTINGS,
    "sample.count": 6,
    "sample.batch_size": 1,
    "invert.batch_size": 1,
    "anonymize.batch_size": 1,
    "run.workers": 2,
}
THREADS_OF_A_WORKER = str(max(1, CPU_COUNT // 2))


@dataclass
class Place:
    """A folder with photos and a bundle, for projects side by side."""

    root: Path
    bundle: Path

    def project(self, name: str, **settings: object) -> Path:
        changes = {"bundle": str(self.bundle), **SETTINGS, **{f"run.{key}": value for key, value in settings.items()}}
        init_project(self.root / name, photos=self.root / "photos", changes=changes)
        return self.root / name


@pytest.fixture
def place(tmp_path: Path, demo_photos: Path, tiny_bundle_folder: Path) -> Place:
    (tmp_path / "photos").mkdir()
    for name in ("open_sky.png", "office_window.png"):
        small_copy(demo_photos / name, tmp_path / "photos" / name)
    return Place(tmp_path, tiny_bundle_folder)


@dataclass
class Stages:
    """Calls `falco stage`, with workers that leave a mark for each batch that they kept."""

    marks: Path
    hooks: dict[str, str] = field(default_factory=dict)

    def start(self, project: Path, stage: str) -> subprocess.Popen[str]:
        self.marks.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PREFECT_API_URL": "",
            MARKS: str(self.marks),
            **self.hooks,
        }
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = THREADS_OF_A_WORKER
        environment["DASK_DISTRIBUTED__WORKER__PRELOAD"] = "['tests.flows.worker_hooks']"
        command = [str(BIN / "falco"), "stage", stage, "--project", str(project)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=project, env=environment, text=True, start_new_session=True, **streams)

    def finish(self, project: Path, stage: str, code: int = 0) -> tuple[str, str]:
        process = self.start(project, stage)
        output = process.communicate(timeout=240)
        assert process.returncode == code, output
        return output

    def kept(self) -> list[tuple[int, str]]:
        """Which process kept which items, batch by batch."""
        marks = [path.read_text().split(" ", 1) for path in self.marks.iterdir() if not path.suffix]
        return [(int(pid), ids) for pid, ids in marks]

    def processes(self) -> set[int]:
        """All that live and were started for these stages."""
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                dead = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
                if not dead and f"{MARKS}={self.marks}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.add(int(folder.name))
        return found


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[Stages]:
    found = Stages(tmp_path / "marks")
    yield found
    for pid in found.processes():
        os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Server:
    """A Prefect server: what its clients need in their environment, and where it keeps all that it knows."""

    environment: dict[str, str]
    home: Path

    def task_runs(self) -> dict[str, str]:
        """The state of each task run (id)."""
        with sqlite3.connect(self.home / "prefect.db") as database:
            return dict(database.execute("select id, state_type from task_run").fetchall())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root, before, here = tmp_path_factory.mktemp("served"), dict(os.environ), Path.cwd()
    os.environ.pop("PREFECT_API_URL", None)
    with prefect_world(root):
        new = {key: value for key, value in os.environ.items() if before.get(key) != value}
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
        yield Server(new, root / HOME)


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def units(project: Path, batches: int, size: int = 1) -> list[Unit]:
    opened = Project.open(project)
    keys = opened.keys(stage_named("sample"))
    entries = [
        [Entry(f"{number:03}-{place}", keys.of(number, place), Fake(number, 7)) for place in range(size)]
        for number in range(batches)
    ]
    return units_of("sample", opened, entries)


@pytest.mark.parametrize(
    ("batches", "sizes"), [(1, [1]), (5, [1] * 5), (16, [1] * 16), (20, [2] * 10), (128, [8] * 16)]
)
def test_a_group_of_items_is_a_bounded_number_of_units(batches: int, sizes: list[int], place: Place) -> None:
    found = units(place.project("one"), batches)
    assert [len(unit.batches) for unit in found] == sizes
    assert len(found) <= PER_GROUP
    numbers = [entry.job.number for unit in found for batch in unit.batches for entry in batch]
    assert numbers == list(range(batches))


def test_a_unit_says_nothing_of_what_it_holds(place: Place) -> None:
    unit = units(place.project("one"), 1)[0]
    assert "000-0" not in repr(unit) and str(place.root) not in repr(unit)


def test_a_unit_begun_again_computes_only_the_batches_that_are_not_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = units(place.project("one"), 20, size=2)[0]
    kept: list[list[str]] = []
    add = KeptWork.add

    def counted(self: KeptWork[Fake], items: list[object]) -> None:
        kept.append([item.id for item in items])
        add(self, items)

    monkeypatch.setattr(KeptWork, "add", counted)
    assert next(compute(unit)) == 0
    assert list(compute(unit, again=True)) == [0, 1]
    assert kept == [["000-0", "000-1"], ["001-0", "001-1"]]
    assert list(compute(unit)) == [0, 1], "a second writer of the same items"
    assert len(kept) == 4


def test_a_worker_with_another_version_of_a_stage_computes_nothing(place: Place) -> None:
    unit = replace(units(place.project("one"), 1)[0], version=99)
    with pytest.raises(ProjectError, match="install the same falco wherever workers run"):
        list(compute(unit))


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


class Unpicklable(Exception):
    def __reduce__(self) -> str:
        raise TypeError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnreadablePhoto(Reason.UNDECODABLE, "cut off"), UnreadablePhoto),
        (FileNotFoundError(2, "No such file", "photo.jpg"), FileNotFoundError),
        (Unpicklable("lock"), RuntimeError),
    ],
)
def test_an_error_comes_back_from_a_worker_as_what_it_is(error: Exception, kind: type[Exception]) -> None:
    failed = pickle.loads(pickle.dumps(BatchFailed(portable(raised(error)))))
    assert type(failed.cause) is kind
    assert str(error) in str(failed.cause)
    assert "raise error" in failed.cause.__notes__[0], "where it was raised"
    assert str(error) not in repr(failed) + str(failed)
    if isinstance(failed.cause, UnreadablePhoto):
        assert (failed.cause.reason, failed.cause.detail) == (Reason.UNDECODABLE, "cut off")


def run_through(project: Path, names: list[str]) -> None:
    with Dask(Project.open(project).params.run).plainly() as execute:
        for name in names:
            run_stage(name, project, execute)


@pytest.mark.slow
def test_workers_leave_the_bytes_that_threads_leave(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    there, here, threads = place.project("there", runner="dask"), place.project("here"), torch.get_num_threads()
    run_through(there, NAMES)
    assert "sample: batch 6 of 6" in capfd.readouterr().out
    torch.set_num_threads(int(THREADS_OF_A_WORKER))
    run_through(here, NAMES)
    torch.set_num_threads(threads)
    for name in NAMES:
        assert artifacts(here, name) == artifacts(there, name), name
    assert (place.root / "there/release/photos/open_sky.png").is_file()


def test_a_run_whose_worker_was_killed_ends_with_the_bytes_of_an_undisturbed_one(
    place: Place, stages: Stages, server: Server
) -> None:
    stages.hooks |= {SLOW: "0.7", **server.environment}
    before = server.task_runs()
    there, here = place.project("there", runner="dask"), place.project("here")
    process = stages.start(there, "sample")
    wait_for(stages.kept, 60)
    victim = stages.kept()[0][0]
    os.kill(victim, signal.SIGKILL)
    output = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "sample: batch 6 of 6" in output[0]
    run_through(here, ["sample"])
    assert artifacts(here, "sample") == artifacts(there, "sample")
    assert {pid for pid, _ in stages.kept()} > {victim}
    assert sorted(ids for _, ids in stages.kept()) == [fake_id(number) for number in range(6)], "none is computed twice"
    assert [state for id_, state in server.task_runs().items() if id_ not in before] == ["COMPLETED"] * 6
    assert not stages.processes()


def test_an_error_of_a_worker_is_one_line_and_reaches_no_server(place: Place, stages: Stages, server: Server) -> None:
    stages.hooks |= {BROKEN: "aunt_emma.jpg was changed meanwhile: run again", SLOW: "60", **server.environment}
    before = server.task_runs()
    _, said = stages.finish(place.project("there", runner="dask"), "sample", code=2)
    assert said == "falco: aunt_emma.jpg was changed meanwhile: run again\n"
    states = [state for id_, state in server.task_runs().items() if id_ not in before]
    assert states.count("FAILED") == 1
    assert {*states} == {"FAILED", "CANCELLED"}, "what was at work meanwhile is said to run for ever"
    held = b"".join(path.read_bytes() for path in server.home.rglob("*") if path.is_file())
    assert b"a batch failed" in held and b"aunt_emma" not in held
    assert not stages.processes()


@pytest.mark.slow
def test_an_interrupted_stage_leaves_no_worker(place: Place, stages: Stages) -> None:
    stages.hooks[SLOW] = "60"
    process = stages.start(place.project("there", runner="dask"), "sample")
    wait_for(stages.kept, 60)
    assert len(stages.processes()) >= 3
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, len(said.splitlines())) == (128 + signal.SIGTERM, 1), said
    assert time.monotonic() - start < 5.5
    wait_for(lambda: not stages.processes(), 2)


@pytest.mark.slow
def test_a_killed_stage_leaves_no_worker(place: Place, stages: Stages) -> None:
    stages.hooks[SLOW] = "60"
    process = stages.start(place.project("there", runner="dask"), "sample")
    wait_for(stages.kept, 60)
    process.kill()
    process.communicate(timeout=20)
    wait_for(lambda: not stages.processes(), 5)


def test_work_for_gpus_goes_to_workers_that_offer_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.dask_runner, "PATIENCE", 0.0)
    common = {
        "n_workers": 1,
        "threads_per_worker": 2,
        "processes": False,
        "protocol": "tcp://",
        "dashboard_address": None,
    }
    with LocalCluster(**common) as without:
        project = place.project("there", runner="dask", dask_address=without.scheduler_address, gpu_workers=True)
        with pytest.raises(ParamsError, match="has no worker that offers a GPU"):
            run_through(project, ["sample"])
    with LocalCluster(**common, resources={"GPU": 1}) as cluster:
        project = place.project("there", dask_address=cluster.scheduler_address)
        run_through(project, ["sample"])
    assert len(artifacts(project, "sample")) == 1


def test_a_scheduler_that_does_not_answer_is_one_line(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.dask_runner, "SECONDS", 0.5)
    project = place.project("there", runner="dask", dask_address="tcp://127.0.0.1:9")
    with pytest.raises(ParamsError, match=r"run.dask_address: no Dask scheduler answers at tcp://127.0.0.1:9") as error:
        run_through(project, ["sample"])
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("address", "server", "kind"),
    [
        (None, "http://127.0.0.1:4200/api", DaskTaskRunner),
        ("tcp://127.0.0.1:8786", "http://127.0.0.1:4200/api", DaskTaskRunner),
        ("tls://10.0.0.1:8786", "https://prefect.example.org/api", DaskTaskRunner),
        ("10.0.0.1:8786", "http://127.0.0.1:4200/api", ThreadPoolTaskRunner),
    ],
)
def test_workers_that_cannot_reach_the_server_get_no_task_runs(
    address: str | None, server: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", server)
    assert type(runner_for(RunParams(runner="dask", dask_address=address)).task_runner) is kind
