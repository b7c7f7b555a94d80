import io

import pytest
from rich.console import Console

from flows.progress import Bars, PlainLines, speed_of


def test_a_terminal_gets_a_bar_and_what_is_not_progress_above_it() -> None:
    screen = io.StringIO()
    bars = Bars(Console(file=screen, force_terminal=True, width=120))
    with bars.progress:
        bars.begin("align")
        bars.line("align: batch 1 of 7")
        bars.line("align: batch 2 of 7")
        bars.line("align: 50 items [red]\x1b[2J")
        bars.progress.refresh()
        task = bars.progress.tasks[0]
        assert (task.description, task.completed, task.total) == ("align", 2, 7)
        assert task.fields["speed"].endswith("left")
        bars.begin("invert")
        assert (bars.progress.tasks[0].completed, bars.progress.tasks[0].total) == (0, None)
    text = screen.getvalue()
    assert "align: 50 items [red]?[2J" in text
    assert "batch 1 of 7" not in text


def test_a_log_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    PlainLines().begin("align")
    PlainLines().line("align: batch 1 of 7\x1b")
    assert capsys.readouterr().out == "align: batch 1 of 7?\n"


@pytest.mark.parametrize(
    ("done", "seconds", "left", "said"),
    [
        (0, 5.0, 9, ""),
        (1, 0.0, 9, ""),
        (2, 60.0, 6, "2.0 batches/min, 0:03:00 left"),
        (1, 10, 400, "6.0 batches/min, 1:06:40 left"),
    ],
)
def test_speed_is_told_when_it_can_be_known(done: int, seconds: float, left: int, said: str) -> None:
    assert speed_of(done, seconds, left) == said
