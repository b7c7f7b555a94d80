"""A PyTorch dataset whose pictures are anonymized when they are first asked for, and kept in memory."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from falco_core.anonymizer import Anonymizer
from falco_core.photos.folder import list_photos


class AnonymizedFolder(Dataset[torch.Tensor]):
    """Photos of a folder as tensors [3, H, W] in [0, 1]; a photo that is withheld is black, of 1 x 1 pixel."""

    def __init__(self, folder: Path, anonymizer: Anonymizer) -> None:
        self._paths = [folder / name for name in list_photos(folder)[0]]
        self._anonymizer = anonymizer
        self._picture = cache(self._anonymized)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self._picture(index)

    def _anonymized(self, index: int) -> torch.Tensor:
        result = self._anonymizer.photo(self._paths[index].read_bytes())
        if result.data is None:
            return torch.zeros(3, 1, 1)
        pixels = np.array(Image.open(io.BytesIO(result.data)).convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
