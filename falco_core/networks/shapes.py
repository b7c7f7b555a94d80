"""Batches of one shape, so that a face's result does not depend on who is computed with it.

Libraries choose their arithmetic by the shape of a batch: a face alone and the same face among fifteen others come out
different in the last bits, which an optimization makes visible. In batches of one shape a face's result is the same
to the bit in any place and whatever the others are (tests/falco_core/anonymize/test_solver.py). So every batch is
filled up to that shape. Another number of threads still changes the last bits.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

FACES_OF_128 = {"cpu": 4, "cuda": 32}
"""Faces of 128 pixels in a batch: more are faster, and cost more where a batch has to be filled up."""


def batch_shape(resolution: int, device: torch.device) -> int:
    """Faces in every batch of networks of this resolution: as many fewer as they have more pixels, 1 at least."""
    faces = FACES_OF_128.get(device.type, FACES_OF_128["cpu"])
    return max(1, min(faces, faces * 128**2 // resolution**2))


def in_shape(count: int, size: int) -> Iterator[tuple[Tensor, int]]:
    """Rows 0..count - 1 in batches: indices [size], the last batch filled up with its last row, and how many count."""
    for start in range(0, count, size):
        rows = torch.arange(start, start + size).clamp(max=count - 1)
        yield rows, min(size, count - start)
