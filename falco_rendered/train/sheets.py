"""Contact sheets of a training: rows of pictures to look at."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor


def write_sheet(path: Path, rows: Sequence[Tensor]) -> None:
    """Each row [N, 3, S, S] in [-1, 1] becomes one line of pictures of a PNG."""
    lines = [torch.cat(list(row.clamp(-1, 1)), dim=2) for row in rows]
    pixels = ((torch.cat(lines, dim=1) + 1.0) * 127.5).round().byte().permute(1, 2, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.cpu().numpy()).save(path)
