"""DVC decides what is to be done, and does it: through its API where that answers, as a process of its own where it
runs a stage.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Literal

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.scm import SCMError

from falco_core.errors import FalcoError, first_line, one_line
from falco_core.files import make_private
from falco_core.project.places import DVC_FILE
from falco_core.project.stages import STAGES
from flows.children import child, end
from flows.interrupts import WATCHED
from flows.records import StageRecord, drop_record, read_record

LOGS = ".falco/logs"
"""What each stage said last: private, it may name photos."""
_LAST_LINES = 3
_OUT_OF_MEMORY = "it was killed, most likely for want of memory: close other programs, or lower the batch sizes"

How = Literal["cached", "restored", "ran"]
"""Nothing to do; done before, and taken from DVC's cache; computed now."""


@dataclass(frozen=True)
class Reproduced:
    """What became of a stage, and its record if it ran."""

    how: How
    record: StageRecord | None = None


class StageFailed(FalcoError):
    """A stage ended with an error. What it said may name photos: it is kept apart from what a server is told.

    passing: trying again later may help.
    """

    def __init__(
        self, stage: str, message: str, exit_code: int = 2, *, nameless: bool = False, passing: bool = False
    ) -> None:
        super().__init__(f"stage {stage} failed: {message}" if nameless else f"stage {stage} failed")
        self.stage, self.exit_code, self.passing = stage, exit_code, passing
        self._message = message

    @property
    def line(self) -> str:
        """With what the stage said."""
        return f"stage {self.stage} failed: {self._message}"


def changed_stages(root: Path) -> set[str]:
    """The stages that DVC would run, what follows from their results not counted; raises StageFailed."""
    return _changed(root, None)


def reproduce_stage(
    root: Path,
    stage: str,
    tell: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> Reproduced:
    """Bring one stage up to date; raises StageFailed.

    tell: gets every line of the stage as it comes; environment: added to this process' for the stage's; seconds: the
    longest that it may take.
    """
    if not _changed(root, [stage]):
        return Reproduced("cached")
    drop_record(root, stage)
    # -P: the project folder, in which DVC runs, is not where Python looks for code.
    command = [sys.executable, "-P", "-m", "dvc", "repro", "--single-item", stage]
    make_private(root / LOGS)
    lines: list[str] = []
    late = threading.Event()
    with (
        (root / LOGS / f"{stage}.log").open("w", encoding="utf-8") as log,
        child(command, cwd=root, env=_environment(environment or {})) as process,
    ):
        timer = _timer(process, seconds, late)
        for line in process.stdout or ():
            print(line.rstrip(), file=log, flush=True)
            lines = [*lines[-50:], line.rstrip()]
            tell(line.rstrip())
    timer.cancel()
    if process.returncode:
        said = f"it took longer than run.max_stage_hours ({(seconds or 0) / 3600:g})" if late.is_set() else ""
        raise failure(root, stage, lines, said)
    record = read_record(root, stage)
    return Reproduced("ran" if record is not None and record.state == "done" else "restored", record)


def failure(root: Path, stage: str, lines: list[str], said: str = "") -> StageFailed:
    """Why a stage failed, by its own record, or by what DVC said; said: what is known without either."""
    record = read_record(root, stage)
    if said:
        return StageFailed(stage, said, nameless=True)
    if record is not None and record.state == "running":
        return StageFailed(stage, _OUT_OF_MEMORY, nameless=True)
    if record is None or record.state == "done":
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        return StageFailed(stage, one_line("; ".join(errors or lines[-_LAST_LINES:])) or "DVC said nothing")
    # What nobody expected says in its line where the traceback is.
    own = [line.removeprefix("falco: ") for line in lines if line.startswith("falco: ")]
    line = record.said or one_line(own[-1] if own else "it does not say why")
    return StageFailed(stage, line, record.exit_code, nameless=record.nameless, passing=record.passing)


def _changed(root: Path, stages: Collection[str] | None) -> set[str]:
    logging.getLogger("dvc").setLevel(logging.ERROR)
    first = next(iter(stages)) if stages else STAGES[0].name
    try:
        with Repo(str(root)) as repo:
            # By its whole path: DVC would look for the pipeline in the current folder.
            targets = None if stages is None else [f"{root / DVC_FILE}:{stage}" for stage in stages]
            return {name.rpartition(":")[2] for name in repo.status(targets=targets)}
    except LockError:
        raise StageFailed(first, "DVC is at work on the project: wait for it, or stop it", passing=True) from None
    except (DvcException, SCMError) as error:
        raise StageFailed(first, f"DVC cannot tell what is to be done: {first_line(error)}") from None


def _timer(process: "Popen[str]", seconds: float | None, late: threading.Event) -> threading.Timer:
    """Ends the process, with all that it started, after so many seconds."""

    def stop() -> None:
        late.set()
        end(process)

    timer = threading.Timer(seconds or 0, stop)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    return timer


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    """This process' Python first on the path, and whom the stage must not outlive."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own = {"PATH": path, "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1", WATCHED: str(os.getpid())}
    # An entry of the user's that is no whole path would mean another folder in each process: the project's in DVC's.
    whole = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if Path(entry).is_absolute()]
    return {**os.environ, **added, **own, "PYTHONPATH": os.pathsep.join(whole)}
