"""A dataset of rendered people in the folder layout of CelebA-HQ, with everything about them known."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from falco_core.errors import ProjectError
from falco_core.photos.tensors import to_pixels
from falco_rendered.parameters import ATTRIBUTES, attributes_of, same_identity, sample_latents
from falco_rendered.renderer import render_aligned
from falco_rendered.sensor import photograph

IMAGES = "CelebA-HQ-img"
ATTRIBUTE_FILE = "CelebAMask-HQ-attribute-anno.txt"
IDENTITY_FILE = "identity_CelebA.txt"
PARTITION_FILE = "list_eval_partition.txt"
QUALITY = 95
CHUNK = 32


@dataclass(frozen=True)
class People:
    """Whom to render: `count` people, `views` pictures of each; `seed` chooses them."""

    count: int
    views: int
    seed: int

    def latents(self) -> Tensor:
        """[count * views, P], the views of a person next to each other; each shows the same identity otherwise."""
        first = sample_latents(self.count, seed=self.seed)
        views = [first] + [same_identity(first, seed=self.seed + 7919 * view) for view in range(1, self.views)]
        return torch.stack(views, dim=1).flatten(0, 1)

    def identities(self) -> Tensor:
        """[count * views] number of the person."""
        return torch.arange(self.count).repeat_interleave(self.views)


def write_dataset(people: People, folder: Path, *, size: int = 128, say: Callable[[str], None] = print) -> None:
    """Render `people` into `folder`, which must be empty or missing: JPEGs, attributes, identities, partition.

    Of ten people eight are in `train` (0), one in `val` (1), one in `test` (2); nobody is in two.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ProjectError(f"{folder} is not empty: name a new folder")
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    latents, identities = people.latents(), people.identities()
    names = [f"{number:06d}.jpg" for number in range(len(latents))]
    for start in range(0, len(latents), CHUNK):
        rendered = render_aligned(latents[start : start + CHUNK], size=size).images
        pictures = to_pixels(photograph(rendered, seed=people.seed, first=start))
        for name, picture in zip(names[start : start + CHUNK], pictures, strict=True):
            Image.fromarray(picture).save(folder / IMAGES / name, quality=QUALITY, subsampling=0)
        say(f"{min(start + CHUNK, len(latents))} of {len(latents)} pictures")
    seen = attributes_of(latents).tolist()
    _write(folder / ATTRIBUTE_FILE, _attribute_lines(names, seen))
    _write(folder / IDENTITY_FILE, (f"{name} {int(who)}" for name, who in zip(names, identities, strict=True)))
    _write(folder / PARTITION_FILE, (f"{name} {_part(int(who))}" for name, who in zip(names, identities, strict=True)))


def _attribute_lines(names: list[str], seen: list[list[bool]]) -> Iterator[str]:
    yield str(len(names))
    yield " ".join(ATTRIBUTES)
    for name, row in zip(names, seen, strict=True):
        yield f"{name}  " + " ".join("1" if shown else "-1" for shown in row)


def _part(person: int) -> int:
    return {8: 1, 9: 2}.get(person % 10, 0)


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
