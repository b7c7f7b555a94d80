"""Rendered pictures kept on disk, so that every recipe reads the same ones and a stopped run goes on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from falco_rendered.dataset import People
from falco_rendered.renderer import render_aligned
from falco_rendered.train.progress import Progress

CHUNK = 64


@dataclass(frozen=True)
class RenderSet:
    """`people` different persons, each seen `views` times; two sets of different `seed` share nobody."""

    name: str
    people: int
    views: int
    seed: int

    def latents(self) -> Tensor:
        """[people * views, LATENT_SIZE], the views of a person next to each other."""
        return self._drawn.latents()

    def identities(self) -> Tensor:
        """[people * views] number of the person."""
        return self._drawn.identities()

    @property
    def _drawn(self) -> People:
        return People(self.people, self.views, self.seed)


@dataclass(frozen=True)
class Cached:
    """A rendered set: images uint8 [N, 3, S, S] (memory-mapped), latents [N, P] and identities [N] on a device."""

    images: np.ndarray
    latents: Tensor
    identities: Tensor

    @property
    def device(self) -> torch.device:
        """Where the latents are and the batches come to."""
        return self.latents.device

    def on(self, device: str) -> "Cached":
        """The same set with its batches on `device`; the pictures stay on disk."""
        return Cached(self.images, self.latents.to(device), self.identities.to(device))

    def batch(self, rows: Tensor) -> Tensor:
        """Images [B, 3, S, S] in [-1, 1]."""
        return torch.from_numpy(self.images[rows.cpu().numpy()]).to(self.device).float() / 127.5 - 1.0


def joined(*sets: Cached) -> Cached:
    """Several sets as one, their pictures in memory; nobody is in two of them."""
    offsets = np.cumsum([0, *(int(each.identities.max()) + 1 for each in sets[:-1])])
    return Cached(
        np.concatenate([each.images for each in sets]),
        torch.cat([each.latents for each in sets]),
        torch.cat([each.identities + int(offset) for each, offset in zip(sets, offsets, strict=True)]),
    )


def render_set(chosen: RenderSet, work: Path, *, size: int, device: str = "cpu") -> Cached:
    """Render what is missing of `chosen` under `work`, then open it."""
    path = work / f"{chosen.name}-{size}px-{chosen.people}x{chosen.views}-seed{chosen.seed}.npy"
    latents = chosen.latents()
    done_file = path.with_suffix(".done")
    done = int(done_file.read_text()) if done_file.is_file() and path.is_file() else 0
    shape = (len(latents), 3, size, size)
    if not done:
        work.mkdir(parents=True, exist_ok=True)
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    images = np.lib.format.open_memmap(path, mode="r+" if done < len(latents) else "r")
    progress = Progress(f"renders {chosen.name}")
    while done < len(latents):
        rendered = render_aligned(latents[done : done + CHUNK].to(device), size=size).images.cpu()
        images[done : done + len(rendered)] = ((rendered + 1.0) * 127.5).round().clamp(0, 255).byte().numpy()
        done += len(rendered)
        images.flush()
        done_file.write_text(str(done))
        progress.say(f"{done}/{len(latents)}")
    return Cached(images, latents, chosen.identities()).on(device)
