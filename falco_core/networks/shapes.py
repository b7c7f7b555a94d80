"""Batches of one shape, so that a face's result does not depend on who is computed with it.

Libraries choose their arithmetic by the shape of a batch: a face alone and the same face among fifteen others come out
different in the last bits, which an optimization makes visible. In batches of one shape a face's result is the same
to the bit in any place and whatever the others are (tests/falco_core/anonymize/test_solver.py). So every batch is
filled up to that shape, and computed with one thread, others beside it (`falco_core.parallel`).
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from falco_core.memory import available
from falco_core.parallel import cores, side_by_side
from falco_core.reasons import wants_memory

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

    Where memory does not suffice, all is done again: on a CPU with half as many batches at a time, on a GPU with those
    of half the size, another shape, whose last bits may differ. Raises MemoryError where one face is too much.
    """
    size = batch_shape(resolution, device)
    room = available() // (size * resolution**2 * BYTES_PER_PIXEL)
    most = max(1, min(cores(), room)) if device.type == "cpu" else 1
    while True:
        try:
            return side_by_side(lambda batch: work(*batch), _filled(count, size, device), most=most)
        except (RuntimeError, MemoryError) as error:
            if not wants_memory(error):
                raise
        if (most, size) == (1, 1) or (most == 1 and device.type == "cpu"):
            raise MemoryError(f"too little memory for one batch of {size} faces of {resolution} px")
        most, size = (most // 2, size) if device.type == "cpu" else (1, size // 2)


def _filled(count: int, size: int, device: torch.device) -> list[tuple[Tensor, int]]:
    return [
        (torch.arange(start, start + size).clamp(max=count - 1).to(device), min(size, count - start))
        for start in range(0, count, size)
    ]
