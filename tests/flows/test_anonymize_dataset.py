"""What becomes of a stage's end, as DVC tells of it."""

import pytest

from flows.anonymize_dataset import StageFailed, failure

DVC = "ERROR: failed to reproduce 'align': failed to run: falco stage align, exited with {}"


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (["falco: 3 of 4 photos failed", DVC.format(2)], 2, "stage align failed: 3 of 4 photos failed"),
        (["falco: the gate is closed", DVC.format(3)], 3, "stage align failed: the gate is closed"),
        (["falco: KeyError, which nobody expected", DVC.format(1)], 1, "nobody expected"),
        ([DVC.format(137)], 2, "want of memory"),
        ([DVC.format(-9)], 2, "want of memory"),
        (["sh: falco: not found", DVC.format(127)], 2, "exited with 127"),
        (["ERROR: Unable to acquire lock."], 2, "Unable to acquire lock"),
        ([], 2, "DVC said nothing"),
        (["falco: a\x1b[2Jb"], 2, "a?[2Jb"),
    ],
)
def test_a_failed_stage_is_one_line_and_a_code(lines: list[str], code: int, words: str) -> None:
    error = failure("align", lines)
    assert isinstance(error, StageFailed)
    assert error.exit_code == code
    assert words in error.line
    assert error.line.isprintable()


def test_a_server_is_told_which_stage_and_nothing_else() -> None:
    assert str(failure("align", ["falco: anna.jpg changed during the run"])) == "stage align failed"
