"""invert: each crop's W+ code (e4e), its features, and what the generator makes of the code.

in: data/faces    out: data/inversions (inversions.parquet, arrays/, reconstructions/FACE.png)
arrays, row by row of the table: codes [L, D], heldout [E], and an embedding per pairing space of the bundle.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from prefect import task

from falco_core.anonymize.losses import cosine
from falco_core.images import read_png, write_png
from falco_core.items import Item
from falco_core.shards import write_shards
from falco_core.tables import FACES, INVERSIONS, read_table, write_table
from falco_core.tensors import to_pixels, to_tensor
from tasks.batches import Execute, StageReport, batches_of, fresh_folder, missing
from tasks.project import Project
from tasks.stages import FACES as FACES_FOLDER
from tasks.stages import INVERSIONS as INVERSIONS_FOLDER
from tasks.stages import stage_named

STAGE = stage_named("invert")


@dataclass(frozen=True)
class Crop:
    """A crop file and the key of its item."""

    face: str
    key: str


def run(project: Project, execute: Execute) -> StageReport:
    """Invert the crops that are not kept yet, then write data/inversions."""
    rows = read_table(project.path(FACES_FOLDER, "faces.parquet"), FACES)
    crops = {row["face"]: Crop(row["face"], project.key(STAGE, row["crop_sha256"])) for row in rows}
    todo = missing([crop.key for crop in crops.values()], project.cache(STAGE).__contains__)
    first_of = {crop.key: crop for crop in crops.values() if crop.key in todo}
    batches = batches_of(list(first_of.values()), project.batch_size(project.params.invert.batch_size))
    execute(invert_batch, project.root, batches)
    flagged = _assemble(project, list(crops.values()))
    notes = (f"{flagged} of low fidelity (flagged, not withheld)",) if flagged else ()
    return StageReport(STAGE.name, len(crops), len(todo), notes)


@task(name="invert")
def invert_batch(root: Path, crops: list[Crop]) -> None:
    """Compute and keep the items of `crops`."""
    project = Project.open(root)
    bundle = project.bundle()
    pixels = [read_png(project.path(FACES_FOLDER, "crops", f"{crop.face}.png")) for crop in crops]
    images = torch.cat([to_tensor(each) for each in pixels]).to(bundle.device)
    with torch.inference_mode():
        codes = bundle.encoder(images)
        reconstructions = bundle.generator.synthesize(codes)
        arrays = {"codes": codes, "heldout": bundle.heldout(images), **bundle.features(images)}
        fidelity = cosine(bundle.recogniser(reconstructions), arrays["recogniser"])
    shown = to_pixels(reconstructions)
    for index, crop in enumerate(crops):
        rows = {name: array[index].cpu().numpy() for name, array in arrays.items()}
        item = Item({**rows, "reconstruction": shown[index]}, {"fidelity": float(fidelity[index])})
        project.cache(STAGE).put(crop.key, item)


def _assemble(project: Project, crops: list[Crop]) -> int:
    cache = project.cache(STAGE)
    limit = project.params.invert.low_fidelity_below
    table = []
    with fresh_folder(project.path(INVERSIONS_FOLDER)) as folder:
        (folder / "reconstructions").mkdir()
        for crop in crops:
            item = cache.get(crop.key)
            write_png(folder / "reconstructions" / f"{crop.face}.png", item.arrays["reconstruction"])
            fidelity = item.record["fidelity"]
            low = not fidelity >= limit
            table.append({"face": crop.face, "fidelity": fidelity, "low_fidelity": low})
        names = ("codes", "heldout", *project.spec.spaces)
        arrays = (cache.get(crop.key).arrays for crop in crops)
        write_shards(folder / "arrays", ({name: each[name] for name in names} for each in arrays))
        write_table(folder / "inversions.parquet", table, INVERSIONS)
    return sum(row["low_fidelity"] for row in table)
