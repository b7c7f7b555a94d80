"""What becomes of a stage's end, as its own record and DVC tell of it."""

from pathlib import Path

import pytest

from falco_core.errors import GateError, ParamsError, ProjectError
from flows.records import StageRecord, failed, read_record, write_record
from flows.reproduction import StageFailed, failure

DVC = "ERROR: failed to reproduce 'align': failed to run: falco stage align, exited with {}"


@pytest.mark.parametrize(
    ("record", "lines", "code", "words"),
    [
        (failed(ProjectError("3 of 4 photos failed")), [DVC.format(2)], 2, "stage align failed: 3 of 4 photos failed"),
        (failed(GateError("the gate is closed")), [DVC.format(3)], 3, "stage align failed: the gate is closed"),
        (failed(KeyError("x")), ["falco: KeyError, which nobody expected: see /tmp/x", DVC.format(1)], 1, "/tmp/x"),
        (failed(OSError("the disk is full")), ["falco: the disk takes no more", DVC.format(2)], 2, "takes no more"),
        (StageRecord(state="running"), [DVC.format(137)], 2, "want of memory"),
        (StageRecord(state="running"), [], 2, "want of memory"),
        (None, ["sh: falco: not found", DVC.format(127)], 2, "exited with 127"),
        (None, ["ERROR: Unable to acquire lock."], 2, "Unable to acquire lock"),
        (None, [], 2, "DVC said nothing"),
        (failed(ProjectError("a\x1b[2Jb")), [], 2, "a?[2Jb"),
    ],
)
def test_a_failed_stage_is_one_line_and_a_code(
    record: StageRecord | None, lines: list[str], code: int, words: str, tmp_path: Path
) -> None:
    if record is not None:
        write_record(tmp_path, "align", record)
    error = failure(tmp_path, "align", lines)
    assert isinstance(error, StageFailed)
    assert error.exit_code == code
    assert words in error.line
    assert error.line.isprintable()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ProjectError("anna.jpg changed during the run"), "stage align failed"),
        (KeyError("anna.jpg"), "stage align failed"),
        (GateError("the gate is closed: 3 of 4"), "stage align failed: the gate is closed: 3 of 4"),
        (ParamsError("align.max_pixels: too many"), "stage align failed: align.max_pixels: too many"),
    ],
)
def test_a_server_is_told_no_name(error: Exception, told: str, tmp_path: Path) -> None:
    write_record(tmp_path, "align", failed(error))
    assert str(failure(tmp_path, "align", ["falco: anna.jpg"])) == told


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (ConnectionResetError("by peer"), True),
        (TimeoutError(), True),
        (type("EndpointConnectionError", (Exception,), {"__module__": "botocore.exceptions"})(), True),
        (ProjectError("3 of 4 photos failed"), False),
        (KeyError("x"), False),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception, passing: bool, tmp_path: Path) -> None:
    write_record(tmp_path, "align", failed(error))
    assert failure(tmp_path, "align", []).passing == passing


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path, "align") is None
    write_record(tmp_path, "align", StageRecord(state="done", total=3))
    assert read_record(tmp_path, "align") == StageRecord(state="done", total=3)
    (tmp_path / ".falco/stages/align.json").write_text("{")
    assert read_record(tmp_path, "align") is None
