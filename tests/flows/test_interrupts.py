"""An interrupt is one line and the right exit code within five seconds, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.children import child, stop_children

WORK = """
import hashlib, sys, time
from pathlib import Path
from falco_core.project.work import fresh_folder
from flows.interrupts import Interrupted, interruptible, leave
try:
    with interruptible(), fresh_folder(Path("out")):
        print("ready", flush=True)
        {busy}
except Interrupted as error:
    leave(error)
"""
IN_PYTHON = "time.sleep(60)"
IN_A_LIBRARY = "hashlib.pbkdf2_hmac('sha512', b'', b'', 2 * 10**9)"
CLEANING_UP = "\n        try: time.sleep(60)\n        finally: time.sleep(60)"


def _as_in_a_terminal() -> None:
    """Whoever started the tests may have had these ignored (nohup, `&`)."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("number", "busy", "seconds"),
    [
        (signal.SIGINT, IN_PYTHON, 1.0),
        (signal.SIGTERM, IN_PYTHON, 1.0),
        (signal.SIGHUP, IN_PYTHON, 1.0),
        (signal.SIGTERM, IN_A_LIBRARY, 5.0),
        (signal.SIGINT, CLEANING_UP, 5.0),
    ],
)
def test_one_line_and_out(number: signal.Signals, busy: str, seconds: float, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK.format(busy=busy)],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_as_in_a_terminal,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    start = time.monotonic()
    process.send_signal(number)
    time.sleep(0.1)
    process.send_signal(number)  # impatient users press twice
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert time.monotonic() - start < seconds + 0.5
    assert len(said.splitlines()) == 1
    assert said.startswith("falco: interrupted")
    if busy == IN_PYTHON:
        assert not list(tmp_path.iterdir()), "what was half done is gone"


STUBBORN = (
    "import os, signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(os.getpid(), other.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def lives(pid: int) -> bool:
    """Whether a process is more than a dead one that nobody has asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_children_and_their_children_are_ended_even_if_they_do_not_want_to(tmp_path: Path) -> None:
    start = time.monotonic()
    with child([sys.executable, "-c", STUBBORN], cwd=tmp_path, env=os.environ) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        stop_children()
    assert time.monotonic() - start < 5
    deadline = time.monotonic() + 1
    while any(map(lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(lives, pids))


def test_a_child_nobody_reads_any_more_is_ended(tmp_path: Path) -> None:
    endless = "while True: print('x' * 1000)"
    with (
        pytest.raises(ZeroDivisionError),
        child([sys.executable, "-c", endless], cwd=tmp_path, env=os.environ) as process,
    ):
        _ = 1 / 0
    assert process.returncode == -signal.SIGKILL
