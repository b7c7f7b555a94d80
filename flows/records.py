"""What a stage says of itself to whoever started it: a small file, since DVC stands between the two.

    .falco/stages/NAME.json

It tells a stage that ran from one that DVC knew already, a failure's code from DVC's own, and a stage that was killed.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from falco_core.errors import BundleError, FalcoError, GateError, JudgeError, ParamsError, one_line
from falco_core.files import make_private, text_in, write_text

FOLDER = ".falco/stages"
_NAMELESS = (GateError, ParamsError, BundleError, JudgeError)
"""Errors whose sentences speak of keys and figures: a server may be told."""


class StageRecord(BaseModel):
    """How a stage stands: its counts when it is done, its line and exit code when it failed.

    nameless: the line names no photo; passing: trying again later may help (a network, a service).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["running", "done", "failed"]
    said: str = ""
    total: int = 0
    computed: int = 0
    exit_code: int = 0
    nameless: bool = False
    passing: bool = False


def failed(error: BaseException) -> StageRecord:
    """The record of a stage that ended with `error`."""
    # As `flows.commands.main` ends with them.
    code = FalcoError.exit_code if isinstance(error, (OSError, MemoryError)) else 1
    return StageRecord(
        state="failed",
        said=one_line(error.line) if isinstance(error, FalcoError) else "",
        exit_code=error.exit_code if isinstance(error, FalcoError) else code,
        nameless=is_nameless(error),
        passing=not isinstance(error, FalcoError) and _of_a_network(error),
    )


def is_nameless(error: BaseException) -> bool:
    """Whether an error's sentence names no photo."""
    return isinstance(error, _NAMELESS)


def write_record(root: Path, stage: str, record: StageRecord) -> None:
    """Keep a stage's record in the project at `root`."""
    make_private(root / FOLDER)
    write_text(_path(root, stage), record.model_dump_json() + "\n")


def read_record(root: Path, stage: str) -> StageRecord | None:
    """A stage's record; None if there is none that can be read."""
    try:
        return StageRecord.model_validate_json(text_in(_path(root, stage)))
    except (ValidationError, OSError):
        return None


def drop_record(root: Path, stage: str) -> None:
    """Forget what a stage said of an earlier run."""
    _path(root, stage).unlink(missing_ok=True)


def _path(root: Path, stage: str) -> Path:
    return root / FOLDER / f"{stage}.json"


def _of_a_network(error: BaseException) -> bool:
    """Whether a connection failed: Python's own errors, or those of the S3 client."""
    foreign = type(error).__module__.split(".")[0] in ("botocore", "aiobotocore", "aiohttp")
    return isinstance(error, (ConnectionError, TimeoutError)) or foreign
