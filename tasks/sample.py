"""sample: a pool of generated faces with their W+ codes and features.

in: the bundle    out: data/fakes (fakes.parquet, arrays/, images/FAKE.png)
arrays, row by row of the table: codes [L, D], and an embedding per pairing space of the bundle.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from prefect import task

from falco_core.photos.codec import write_png
from falco_core.photos.tensors import to_pixels
from falco_core.project.folder import Project
from falco_core.project.stages import FAKES as FAKES_FOLDER
from falco_core.project.stages import stage_named
from falco_core.store.items import Item
from falco_core.store.shards import write_shards
from falco_core.store.tables import FAKES, write_table
from tasks.batches import Execute, StageReport, batches_of, fresh_folder, missing

STAGE = stage_named("sample")
POOL = ("sample.count", "sample.seed")
"""Choose which fakes there are, not what one of them looks like."""


@dataclass(frozen=True)
class Seed:
    """One fake's number, the seed of its z, and the key of its item."""

    fake: int
    seed: int
    key: str


def run(project: Project, execute: Execute) -> StageReport:
    """Generate the fakes that are not kept yet, then write data/fakes."""
    seeds = [_seed(project, fake) for fake in range(project.params.sample.count)]
    todo = missing([seed.key for seed in seeds], project.cache(STAGE).__contains__)
    size = project.batch_size(project.params.sample.batch_size)
    batches = batches_of([seed for seed in seeds if seed.key in todo], size)
    execute(sample_batch, project.root, batches)
    _assemble(project, seeds)
    return StageReport(STAGE.name, len(seeds), len(todo))


@task(name="sample")
def sample_batch(root: Path, seeds: list[Seed]) -> None:
    """Compute and keep the items of `seeds`."""
    project = Project.open(root)
    bundle = project.bundle()
    generator = bundle.generator
    z = torch.cat([_draw(seed.seed, generator.config.z_dim) for seed in seeds]).to(bundle.device)
    with torch.inference_mode():
        w = generator.truncate(generator.map(z), project.params.sample.truncation)
        codes = generator.broadcast(w)
        images = generator.synthesize(codes)
        arrays = {"codes": codes, **bundle.features(images)}
    shown = to_pixels(images)
    for index, seed in enumerate(seeds):
        rows = {name: array[index].cpu().numpy() for name, array in arrays.items()}
        project.cache(STAGE).put(seed.key, Item({**rows, "image": shown[index]}))


def _assemble(project: Project, seeds: list[Seed]) -> None:
    cache = project.cache(STAGE)
    with fresh_folder(project.path(FAKES_FOLDER)) as folder:
        (folder / "images").mkdir()
        for seed in seeds:
            write_png(folder / "images" / f"{seed.fake:06d}.png", cache.get(seed.key).arrays["image"])
        names = ("codes", *project.spec.spaces)
        arrays = (cache.get(seed.key).arrays for seed in seeds)
        write_shards(folder / "arrays", ({name: each[name] for name in names} for each in arrays))
        table = [{"fake": seed.fake, "seed": seed.seed} for seed in seeds]
        write_table(folder / "fakes.parquet", table, FAKES)


def _seed(project: Project, fake: int) -> Seed:
    # Every fake has a seed of its own, so a larger pool keeps the smaller one's faces.
    seed = project.params.sample.seed * 1_000_003 + fake
    return Seed(fake, seed, project.key(STAGE, f"seed {seed}", without=POOL))


def _draw(seed: int, size: int) -> torch.Tensor:
    return torch.randn(1, size, generator=torch.Generator().manual_seed(seed))
