"""A real Prefect server on loopback, its command line, a worker, and runs of deployments."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.flows.runs import BIN

ROOT = Path(__file__).parents[2]
PASSWORD = "falco:of-the-tests"
PATIENCE = 240.0


@dataclass(frozen=True)
class Server:
    """A server that runs, what reaches it, and the folder that it keeps everything in."""

    url: str
    home: Path
    process: "subprocess.Popen[str]"

    @property
    def environment(self) -> dict[str, str]:
        return {**_environment(self.home), "PREFECT_API_URL": self.url}

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """The API's answer."""
        user, _, password = PASSWORD.partition(":")
        for _ in range(10):
            answer = httpx.request(
                method, f"{self.url}/{path}", json=content, auth=(user, password), timeout=30, trust_env=False
            )
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:  # its database is busy
                break
            time.sleep(0.5)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def call(self, *command: str) -> str:
        """What Prefect's own command line says."""
        done = subprocess.run(
            [str(BIN / "prefect"), "--no-prompt", *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, deployment: str, parameters: Mapping[str, Any]) -> str:
        """Ask for a run of a deployment (FLOW/NAME); its id."""
        found = self.ask("GET", f"deployments/name/{deployment}")
        content = {"parameters": dict(parameters), "state": {"type": "SCHEDULED"}}
        return str(self.ask("POST", f"deployments/{found['id']}/create_flow_run", content)["id"])

    def end_of(self, run: str) -> dict[str, Any]:
        """A run's last state."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            state: dict[str, Any] = self.ask("GET", f"flow_runs/{run}")["state"]
            if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return state
            time.sleep(0.5)
        raise AssertionError(f"the run did not end: {state}")

    def run(self, deployment: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Run a deployment to its end: the run's id and last state."""
        run = self.start(deployment, parameters)
        return run, self.end_of(run)

    def task_states(self, run: str) -> dict[str, str]:
        """Name of stage -> name of its task run's state, in a flow run. The server takes them in a moment late."""
        states: dict[str, str] = {}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = self.ask("POST", "task_runs/filter", {"task_runs": {"flow_run_id": {"any_": [run]}}})
            states = {task["name"].rpartition("-")[0]: task["state_name"] for task in found}
            if found and not {"Running", "Pending"} & set(states.values()):
                break
            time.sleep(0.5)
        return states

    def nested(self, run: str) -> dict[str, str]:
        """Name -> state of the flow runs below a flow run."""
        content = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
        return {each["name"]: each["state_name"] for each in self.ask("POST", "flow_runs/filter", content)}

    def artifacts(self) -> dict[str, dict[str, Any]]:
        """The newest artifact of each key."""
        return {each["key"]: each for each in self.ask("POST", "artifacts/latest/filter", {})}

    def events(self, name: str) -> int:
        """How many events of a name there were; they come a moment late."""
        deadline, total = time.monotonic() + 30, 0
        while not total and time.monotonic() < deadline:
            total = int(self.ask("POST", "events/filter", {"filter": {"event": {"name": [name]}}})["total"])
            time.sleep(0.5)
        return total

    def everything(self) -> bytes:
        """All bytes that the server keeps."""
        return b"".join(path.read_bytes() for path in self.home.rglob("*") if path.is_file())


@contextmanager
def server(home: Path, **settings: str) -> Iterator[Server]:
    """A server with its UI and all its services, which ends with the block."""
    home.mkdir(parents=True, exist_ok=True)
    environment = {**_environment(home), **settings, "PREFECT_SERVER_API_AUTH_STRING": PASSWORD}
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from flows import serve; serve.standing(0)"],
            cwd="/",
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, (home / "server.log").read_text()
        made = Server(f"http://127.0.0.1:{port}/api", home, process)
        _wait(made)
        yield made
    finally:
        process.kill()
        process.wait()


@contextmanager
def worker(of: Server) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker of the pool `falco`; with the block it ends, and whatever it started."""
    with (of.home / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / "prefect"), "worker", "start", "--pool", "falco", "--type", "process"],
            cwd="/",
            env={**of.environment, "PREFECT_WORKER_QUERY_SECONDS": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        # One that has run something says that it stopped, and stays (Prefect 3.8.8).
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


def processes_of(project: Path) -> list[psutil.Process]:
    """The processes at work in a project: DVC, which runs there, and what it started, which it tells where that is."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == project or process.environ().get("DVC_ROOT") == str(project):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue
    return found


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    own = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    prefect = {
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_API_AUTH_STRING": PASSWORD,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
    }
    return {**kept, **own, **prefect}


def _wait(of: Server) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            of.ask("GET", "admin/version")
        except (httpx.HTTPError, AssertionError):
            assert of.process.poll() is None, (of.home / "server.log").read_text()
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the server did not start")
