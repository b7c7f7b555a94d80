"""Batches of one shape, so that a face's result does not depend on who is computed with it.

Libraries choose their arithmetic by the shape of a batch: a face alone and the same face among fifteen others come out
different in the last bits, which an optimization makes visible. In batches of one shape a face's result is the same
to the bit in any place and whatever the others are (tests/falco_core/anonymize/test_solver.py). So every batch is
filled up to that shape, and computed with one thread, others beside it (`falco_core.parallel`).
"""

from collections.abc import Callable
from typing import TypeVar

import psutil
import torch
from torch import Tensor

from falco_core.parallel import side_by_side

Result = TypeVar("Result")

FACES_OF_128 = {"cpu": 4, "cuda": 32}
"""Faces of 128 pixels in a batch: more are faster, and cost more where a batch has to be filled up."""
BYTES_PER_PIXEL = 4096
"""Of a face, in an optimization: how many batches have room side by side."""


def batch_shape(resolution: int, device: torch.device) -> int:
    """Faces in every batch of networks of this resolution: as many fewer as they have more pixels, 1 at least."""
    faces = FACES_OF_128.get(device.type, FACES_OF_128["cpu"])
    return max(1, min(faces, faces * 128**2 // resolution**2))


def in_shape(count: int, resolution: int, device: torch.device, work: Callable[[Tensor, int], Result]) -> list[Result]:
    """What `work` makes of rows 0..count - 1, batch by batch: it gets indices [size], those of the last batch filled up
    with the last row, and how many of them count.
    """
    size = batch_shape(resolution, device)
    shaped = [
        (torch.arange(start, start + size).clamp(max=count - 1).to(device), min(size, count - start))
        for start in range(0, count, size)
    ]
    room = psutil.virtual_memory().available // (size * resolution**2 * BYTES_PER_PIXEL)
    most = 1 if device.type != "cpu" else max(1, room)
    return side_by_side(lambda batch: work(*batch), shaped, most=most)
