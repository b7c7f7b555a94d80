import pytest
import torch
from torch import Tensor

from falco_core.networks import shapes
from falco_core.networks.shapes import BYTES_PER_PIXEL, batch_shape, in_shape
from tests.falco_core.networks.helpers_of_shapes import Work

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")


@pytest.mark.parametrize("count", [1, 3, 4, 5, 12])
def test_every_row_comes_once_in_batches_of_one_shape(count: int) -> None:
    work = Work()
    batches = in_shape(count, 128, CPU, work)
    assert [row for batch in batches for row in batch] == list(range(count))
    assert set(work.shapes) == {4}


@pytest.mark.parametrize(("resolution", "on_cpu", "on_gpu"), [(64, 4, 32), (128, 4, 32), (256, 1, 8), (1024, 1, 1)])
def test_large_faces_come_fewer_at_a_time(resolution: int, on_cpu: int, on_gpu: int) -> None:
    assert (batch_shape(resolution, CPU), batch_shape(resolution, GPU)) == (on_cpu, on_gpu)


@pytest.mark.parametrize(("batches", "expected"), [(0.5, 1), (2.5, 2), (100, 4)])
def test_no_more_batches_at_a_time_than_there_is_memory_for(
    batches: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    available = int(batches * 1024**2 * BYTES_PER_PIXEL)
    monkeypatch.setattr(shapes, "available", lambda: available)
    work = Work()
    in_shape(8, 1024, CPU, work)
    assert work.most_at_a_time == expected


def test_half_as_many_at_a_time_where_an_allocation_fails() -> None:
    work = Work(room=2)
    batches = in_shape(16, 128, CPU, work)
    assert [row for batch in batches for row in batch] == list(range(16))


def test_a_device_without_room_gets_half_the_batch() -> None:
    sizes = []

    def work(rows: Tensor, count: int) -> list[int]:
        sizes.append(len(rows))
        if len(rows) > 1:
            raise RuntimeError("CUDA error: out of memory")
        return [count]

    # Stands for a GPU: anything that is no CPU.
    batches = in_shape(3, 128, torch.device("meta"), work)
    assert batches == [[1], [1], [1]]
    assert sizes == [4, 2, 1, 1, 1]


def test_one_line_where_one_batch_is_too_much() -> None:
    with pytest.raises(MemoryError, match="one batch of 4 faces of 128 px"):
        in_shape(5, 128, CPU, Work(room=0))


def test_another_error_is_no_want_of_memory() -> None:
    def broken(rows: Tensor, count: int) -> None:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="do not fit"):
        in_shape(5, 128, CPU, broken)
