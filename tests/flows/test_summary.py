from falco_core.errors import printable
from falco_core.photos.folder import PassedOver
from falco_core.project.places import lines_of
from falco_core.reasons import Reason
from falco_core.store.rows import Withheld
from flows.summary import MOST_NAMED, withheld_lines


def test_withheld_photos_come_by_reason_and_many_of_one_by_number() -> None:
    rows = [Withheld(f"{n:02d}.jpg", "align", Reason.UNDECODABLE, "no photo") for n in range(MOST_NAMED + 3)]
    rows.insert(4, Withheld("alone.jpg", "compose", Reason.LEFTOVER_FACE, "f-00"))
    lines = list(withheld_lines(rows, "reports/withheld.parquet"))
    assert lines[0] == f"  withheld: {MOST_NAMED + 3} × undecodable"
    assert lines[1] == "    00.jpg: undecodable (no photo)"
    assert lines[MOST_NAMED + 1] == "    and 3 more: reports/withheld.parquet"
    assert lines[MOST_NAMED + 2 :] == ["  withheld: alone.jpg: leftover_face (f-00)"]


def test_what_was_passed_over_is_named_by_cause() -> None:
    others = [PassedOver(f"{n}.txt", "no format that falco reads") for n in range(7)]
    assert lines_of([PassedOver("pipe", "a FIFO"), *others]) == [
        "1 × a FIFO (pipe)",
        "7 × no format that falco reads (0.txt, 1.txt, 2.txt, 3.txt, 4.txt, …)",
    ]


def test_a_name_cannot_command_a_terminal() -> None:
    assert printable("a\x1b[2J\nb\u202ec.jpg") == "a?[2J?b?c.jpg"
