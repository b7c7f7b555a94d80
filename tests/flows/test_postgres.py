"""The same server on PostgreSQL: a real one, started by the test."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.prefect_server import server

BINARIES = [Path(each) for each in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


@pytest.fixture
def postgres() -> Iterator[str]:
    """A database's address, on a socket in a folder of the test's own."""
    found = shutil.which("initdb") or next((str(folder / "initdb") for folder in BINARIES), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # Not among pytest's own folders, which no other account may enter.
    folder = Path(tempfile.mkdtemp(prefix="falco-postgres-"))
    # It refuses to run as root: then it runs as the account that Debian's package makes.
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres", "postgres")
    binaries = Path(found).resolve().parent

    def call(command: str, *arguments: str) -> None:
        subprocess.run(
            [str(binaries / command), *arguments],
            cwd="/",
            check=True,
            stderr=subprocess.STDOUT,
            stdout=subprocess.DEVNULL,
            **user,
        )

    call("initdb", "-D", f"{folder}/data", "-U", "falco", "--auth", "trust")
    port = _free_port()
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    call("pg_ctl", "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start")
    try:
        call("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "falco", "prefect")
        yield f"postgresql+asyncpg://falco@127.0.0.1:{port}/prefect"
    finally:
        call("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def test_a_server_keeps_its_history_in_postgres(postgres: str, tmp_path: Path) -> None:
    settings = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": postgres}
    with server(tmp_path / "first", **settings) as made:
        made.call("work-pool", "create", "falco", "--type", "process")
        made.call("deploy", "--all")
        found = made.ask("GET", "deployments/name/refresh-dataset/dataset")
        assert found["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
        assert not list(made.home.glob("*.db"))
    with server(tmp_path / "second", **settings) as again:
        assert again.ask("GET", "deployments/name/refresh-dataset/dataset")["id"] == found["id"]
        scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        deadline = time.monotonic() + 60
        while not (runs := again.ask("POST", "flow_runs/filter", scheduled)) and time.monotonic() < deadline:
            time.sleep(1)
        assert runs, "nothing is scheduled"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
