"""Prefect's world apart: which server a run reports to, and nothing of the user's own Prefect in between.

Prefect is configured by the environment before it is first imported, so nothing here imports it.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from falco_core.errors import FalcoError, first_line
from falco_core.files import make_private, text_in, write_text
from flows.serve import HOST

HOME = ".falco/prefect"
DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
UNSEEN = "FALCO_UNSEEN"
"""In the environment where nobody can look at the server: it is a run's own, and ends with it."""
SLOW = 20.0
PATIENCE = 180.0
"""Seconds after which a starting server is spoken of, and given up."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
OF_THE_SERVER = ("PREFECT_API_", "PREFECT_CLIENT_", "PREFECT_CLOUD_")
"""How to reach the server that the user names."""
_ANYWHERE = Path("/")
"""A current folder in which nobody leaves settings: Prefect reads .env, prefect.toml and pyproject.toml of its own."""
_PROFILE = 'active = "falco"\n\n[profiles.falco]\nPREFECT_SERVER_ANALYTICS_ENABLED = "false"\n'
_SETTINGS = {
    # Prefect's own log lines repeat what falco prints; a user who wants them sets the level.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
}


class ServerError(FalcoError):
    """Prefect's server cannot be reached or started."""


@contextmanager
def prefect_world(root: Path) -> Iterator[None]:
    """Let Prefect, when it is imported, report to the server that PREFECT_API_URL names, else to one of this run.

    The run's own server lives in the project at `root`, on this machine's loopback with a password, and ends with the
    block, or with this process. Settings and profiles of the user's own Prefect, and files in the current folder that
    Prefect would read settings from, do not reach it. Raises ServerError.
    """
    # What an earlier run, or another version of Prefect, left there is no use.
    shutil.rmtree(root / HOME, ignore_errors=True)
    set_apart(root)
    if url := os.environ.get("PREFECT_API_URL"):
        _check(url)
        yield
        return
    with _own_server(root / HOME, "of_a_run()", f"falco:{secrets.token_hex(16)}"):
        os.environ[UNSEEN] = "1"
        yield


@contextmanager
def standing_world(home: Path, port: int) -> Iterator[str | None]:
    """The server that PREFECT_API_URL names, else one of this machine that keeps its history in the folder `home`.

    It has the UI and a password, which stays the same and is kept in `home`; yields the name and password, None for a
    server that the user named. Its database is SQLite there, or what PREFECT_SERVER_DATABASE_CONNECTION_URL says.
    Raises ServerError.
    """
    database = os.environ.get(DATABASE)
    set_apart(home, ".")
    if url := os.environ.get("PREFECT_API_URL"):
        _check(url)
        yield None
        return
    os.environ |= {"PREFECT_SERVER_UI_ENABLED": "true", "PREFECT_LOGGING_LEVEL": "INFO"}
    if database:
        os.environ[DATABASE] = database
    password = _kept_password(home / "password")
    with _own_server(home, f"standing({port})", password):
        yield password


@contextmanager
def _own_server(home: Path, how: str, password: str) -> Iterator[None]:
    """A server process (`flows.serve`) while the block runs, named in the environment."""
    os.environ["PREFECT_API_AUTH_STRING"] = password
    process = _start(home, how)
    try:
        port = _port_of(process)
        os.environ["PREFECT_API_URL"] = f"http://{HOST}:{port}/api"
        _wait(os.environ["PREFECT_API_URL"], process, home)
        yield
    finally:
        for name in ("PREFECT_API_URL", UNSEEN):
            os.environ.pop(name, None)
        _stop(process)


def _kept_password(path: Path) -> str:
    """The password in a file that nobody but its owner can read; a new one where there is none."""
    if not (kept := text_in(path).strip()):
        kept = f"falco:{secrets.token_hex(16)}"
        path.touch(mode=0o600)
        path.write_text(kept + "\n", encoding="utf-8")
    return kept


def set_apart(root: Path, folder: str = HOME) -> None:
    """The environment and the current folder in which Prefect finds falco's settings and nobody else's; it keeps what
    it must in the `folder` below `root`.
    """
    kept = ("PREFECT_LOGGING_LEVEL", *(OF_THE_SERVER if os.environ.get("PREFECT_API_URL") else ()))
    for name in [name for name in os.environ if name.startswith("PREFECT_") and not name.startswith(kept)]:
        del os.environ[name]
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    home = root / folder
    make_private(home)
    # A project that somebody handed over may have others, and a log's configuration can call any code.
    (home / "logging.yml").unlink(missing_ok=True)
    profiles = home / "profiles.toml"
    if text_in(profiles) != _PROFILE:
        write_text(profiles, _PROFILE)
    os.environ |= {"PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(profiles)}
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join([*hosts, *(host for host in _LOOPBACK if host not in hosts)])
    os.chdir(_ANYWHERE)


def _check(url: str) -> None:
    """Any answer will do: who may do what there is the server's business."""
    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=5)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ServerError(
            f"PREFECT_API_URL names {url}, which does not answer ({first_line(error)}): start that server, or unset "
            "the variable, and falco starts one of its own"
        ) from None


def _start(home: Path, how: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PREFECT_SERVER_API_AUTH_STRING": os.environ["PREFECT_API_AUTH_STRING"]}
    with (home / "server.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", f"from flows import serve; serve.{how}"],
            cwd=_ANYWHERE,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )


def _port_of(process: "subprocess.Popen[str]") -> str:
    """Where the server listens; nothing if it ended, which `_wait` finds."""
    return process.stdout.readline().strip() if process.stdout is not None else ""


def _wait(url: str, process: "subprocess.Popen[str]", home: Path) -> None:
    start, told = time.monotonic(), False
    user, _, password = os.environ["PREFECT_API_AUTH_STRING"].partition(":")
    while process.poll() is None and (waited := time.monotonic() - start) < PATIENCE:
        try:
            answer = httpx.get(f"{url}/admin/version", timeout=5, trust_env=False, auth=(user, password))
            if answer.status_code == httpx.codes.OK:
                return
        except (httpx.HTTPError, httpx.InvalidURL):
            pass
        if waited > SLOW and not told:
            print("waiting for Prefect's server, which is slow to start on this machine", flush=True)
            told = True
        time.sleep(0.1)
    raise ServerError(f"Prefect's server did not start: see {home / 'server.log'}")


def _stop(process: "subprocess.Popen[str]") -> None:
    """End the server: its input ends, so it does at once."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
