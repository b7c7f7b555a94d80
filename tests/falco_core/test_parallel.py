import gc
import threading
import time
import weakref
from contextlib import suppress

import pytest
import torch

from falco_core.parallel import all_threads, cores, one_thread, parts_of_one, side_by_side


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")


def test_results_come_in_the_order_of_the_items() -> None:
    def late(number: int) -> int:
        time.sleep(0.02 * (4 - number))
        return number

    assert side_by_side(late, range(4)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("most", "expected"), [(None, 4), (2, 2), (1, 1)])
def test_as_many_at_a_time_as_there_are_cores_and_no_more(most: int | None, expected: int) -> None:
    lock, now, seen = threading.Lock(), [0], [0]

    def work(_: int) -> None:
        with lock:
            now[0] += 1
            seen[0] = max(seen[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1

    side_by_side(work, range(8), most=most)
    assert seen == [expected]


def test_every_piece_computes_with_one_thread_and_the_caller_gets_its_own_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    with one_thread(), one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    assert side_by_side(lambda _: torch.get_num_threads(), range(6)) == [1] * 6
    assert torch.get_num_threads() == 3
    torch.set_num_threads(before)


def test_one_thread_holds_as_long_as_anybody_needs_it() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    entered, leave, seen = threading.Event(), threading.Event(), []

    def other() -> None:
        with one_thread():
            entered.set()
            leave.wait(10)
            seen.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    with one_thread():
        thread.start()
        entered.wait(10)
    leave.set()
    thread.join()
    assert seen == [1]
    torch.set_num_threads(before)


def test_everybody_gets_his_own_back_whoever_leaves_first() -> None:
    entered, leave, found = threading.Event(), threading.Event(), []

    def other() -> None:
        torch.set_num_threads(3)
        with one_thread():
            entered.set()
            leave.wait(10)
        found.append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    thread = threading.Thread(target=other)
    with one_thread():
        thread.start()
        entered.wait(10)
    found.append(torch.get_num_threads())
    leave.set()
    thread.join()
    torch.set_num_threads(before)
    assert found == [2, 3]


def test_nothing_of_what_failed_stays_in_memory() -> None:
    class Large:
        pass

    made: list[weakref.ref[Large]] = []

    def work(_: int) -> None:
        large = Large()
        made.append(weakref.ref(large))
        raise MemoryError("too large")

    gc.disable()
    try:
        with suppress(MemoryError):
            side_by_side(work, range(4), most=2)
        assert made
        assert [each() for each in made] == [None] * len(made)
    finally:
        gc.enable()


def test_the_first_error_comes_out_and_what_has_not_begun_does_not() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.02)
        if number == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        side_by_side(work, range(40))
    assert len(begun) < 40


def test_a_number_of_threads_that_is_none_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores() == 4
    for value in ("0", "", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert cores() >= 1


def test_only_who_is_alone_gets_all_threads() -> None:
    def threads(_: int) -> int:
        with all_threads():
            return torch.get_num_threads()

    assert side_by_side(threads, [0]) == [4]
    assert side_by_side(threads, [0, 1], most=1) == [4, 4]
    assert side_by_side(threads, range(3)) == [1, 1, 1]
    with one_thread():
        assert side_by_side(threads, [0]) == [4]
    found: list[list[int]] = []
    with one_thread():
        other = threading.Thread(target=lambda: found.append(side_by_side(threads, [0])))
        other.start()
        other.join()
    assert found == [[1]], "somebody else may be at work"
    inside, leave = threading.Event(), threading.Event()

    def waits(_: int) -> None:
        inside.set()
        leave.wait(10)

    other = threading.Thread(target=lambda: side_by_side(waits, [0]))
    other.start()
    inside.wait(10)
    assert side_by_side(threads, range(3)) == [1, 1, 1], "he who is alone came first"
    leave.set()
    other.join()


def test_parts_of_work_that_is_alone_are_side_by_side_and_leave_it_alone() -> None:
    def who(_: int) -> int:
        time.sleep(0.02)
        return threading.get_ident()

    def work(_: int) -> tuple[set[int], int]:
        seen = set(parts_of_one(who, range(2)))
        with all_threads():
            return seen, torch.get_num_threads()

    ((seen, threads),) = side_by_side(work, [0])
    assert len(seen) == 2
    assert threading.get_ident() not in seen
    assert threads == 4, "still alone"
    for seen, threads in side_by_side(work, range(3)):
        assert len(seen) == 1
        assert threads == 1


def test_parts_on_one_core_leave_the_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def work(_: int) -> list[list[int]]:
        return [parts_of_one(lambda part: part, range(2)) for _ in range(2)]

    assert side_by_side(work, [0]) == [[[0, 1], [0, 1]]]
