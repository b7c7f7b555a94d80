"""One at a time: who works on a project holds it, and whoever comes second is told who that is."""

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from falco_core.errors import ProjectError, one_line
from falco_core.files import make_private
from falco_core.project.private import OWN_FOLDER

LOCK_FILE = f"{OWN_FOLDER}/held"
DVC_LOCK = ".dvc/tmp/lock"
HOLDER_VARIABLE = "FALCO_HOLDER"
"""Environment variable that tells the stages of a run who holds the project for them."""


class InUse(ProjectError):
    """Somebody else is at work on the project: waiting helps."""


def check_dvc(root: Path) -> None:
    """Raise InUse if DVC itself is at work on the project: called by hand, it holds nothing of falco's."""
    try:
        with (root / DVC_LOCK).open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise InUse(f"{root} is in use by DVC: wait for it, or stop it") from None


@contextmanager
def holding(root: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold the project at `root` while the block runs; raises InUse that names who holds it already.

    patience: seconds to wait for whoever holds it. The hold ends with the process, however that ends. Inside a stage of
    a run that holds the project this does nothing.
    """
    make_private(root / OWN_FOLDER)
    with (root / LOCK_FILE).open("a+", encoding="utf-8") as file:
        if not _locked(file, patience):
            holder = _read(file)
            if holder.get("token") != os.environ.get(HOLDER_VARIABLE, ""):
                raise InUse(_who(root, holder))
            yield
            return
        token = os.urandom(8).hex()
        _write(file, token)
        before = os.environ.get(HOLDER_VARIABLE)
        os.environ[HOLDER_VARIABLE] = token
        try:
            yield
        finally:
            os.environ.pop(HOLDER_VARIABLE)
            if before is not None:
                os.environ[HOLDER_VARIABLE] = before
            file.truncate(0)


def _locked(file: IO[str], patience: float) -> bool:
    """Whether the file could be locked, in so many seconds; at once False if this process' own run has it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline or _read(file).get("token") == os.environ.get(HOLDER_VARIABLE):
                return False
            time.sleep(1)
        else:
            return True


def _write(file: IO[str], token: str) -> None:
    file.seek(0)
    file.truncate()
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    json.dump(
        {"token": token, "pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": now}, file
    )
    file.flush()


def _read(file: IO[str]) -> dict[str, object]:
    file.seek(0)
    try:
        holder = json.load(file)
    except (ValueError, RecursionError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _who(root: Path, holder: dict[str, object]) -> str:
    said = "{command}, process {pid} on {host}, since {since}".format_map({**_UNKNOWN, **holder})
    return f"{root} is in use by {one_line(said)[:200]}: wait for it, or stop it"


_UNKNOWN = dict.fromkeys(("command", "pid", "host", "since"), "unknown")
