"""invert: each crop's W+ code (e4e), its features, what the generator makes of the code, and what every judge sees.

in: photos, data/faces    out: data/inversions (inversions.parquet, arrays/, reconstructions/FACE.png)
arrays, row by row of the table: codes [L, D], an embedding per pairing space of the bundle, and per judge
`judge_NAME` [E]: the original face's embedding, which the new face is held against.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from prefect import task

from falco_core.anonymize.losses import cosine
from falco_core.photos.codec import decode_photo, read_png, write_png
from falco_core.photos.tensors import to_pixels, to_tensor
from falco_core.project.folder import Project
from falco_core.project.stages import FACES as FACES_FOLDER
from falco_core.project.stages import INVERSIONS as INVERSIONS_FOLDER
from falco_core.project.stages import stage_named
from falco_core.store.items import Item
from falco_core.store.shards import write_shards
from falco_core.store.tables import FACES, INVERSIONS, PHOTOS, read_table, write_table
from tasks.align import photo_bytes
from tasks.batches import Execute, StageReport, batches_of, fresh_folder, missing
from tasks.judging import judge_names, judges_of, reference

STAGE = stage_named("invert")


@dataclass(frozen=True)
class Crop:
    """A crop file, where in which photo it comes from, and the key of its item."""

    face: str
    photo: str
    photo_sha256: str
    landmarks: tuple[float, ...]
    key: str


def run(project: Project, execute: Execute) -> StageReport:
    """Invert the crops that are not kept yet, then write data/inversions."""
    crops = _crops(project)
    todo = missing([crop.key for crop in crops], project.cache(STAGE).__contains__)
    first_of = {crop.key: crop for crop in crops if crop.key in todo}
    batches = batches_of(list(first_of.values()), project.batch_size(project.params.invert.batch_size))
    execute(invert_batch, project.root, batches)
    flagged = _assemble(project, crops)
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
        arrays = {"codes": codes, **bundle.features(images)}
        fidelity = cosine(bundle.recogniser(reconstructions), arrays["recogniser"])
    shown = to_pixels(reconstructions)
    seen = _judged(project, crops)
    for index, crop in enumerate(crops):
        rows = {name: array[index].cpu().numpy() for name, array in arrays.items()} | seen[index]
        item = Item({**rows, "reconstruction": shown[index]}, {"fidelity": float(fidelity[index])})
        project.cache(STAGE).put(crop.key, item)


def _judged(project: Project, crops: list[Crop]) -> list[dict[str, np.ndarray]]:
    """What every judge sees of each original, in the photo itself."""
    names = judge_names(project)
    judges = judges_of(project, names)
    seen, opened, pixels = [], "", np.zeros((0, 0, 3), dtype=np.uint8)
    for crop in crops:
        if crop.photo_sha256 != opened:
            data = photo_bytes(project, crop.photo, crop.photo_sha256)
            pixels = decode_photo(data, max_pixels=project.params.align.max_pixels).pixels
            opened = crop.photo_sha256
        points = [np.asarray(crop.landmarks, dtype=np.float64).reshape(5, 2)]
        seen.append(
            {reference(name): judge.embed(pixels, points)[0] for name, judge in zip(names, judges, strict=True)}
        )
    return seen


def _crops(project: Project) -> list[Crop]:
    """The distinct faces: identical photos share theirs."""
    digests = {row["photo"]: row["sha256"] for row in read_table(project.path(FACES_FOLDER, "photos.parquet"), PHOTOS)}
    faces = {row["face"]: row for row in read_table(project.path(FACES_FOLDER, "faces.parquet"), FACES)}
    return [_crop(project, row, digests[row["photo"]]) for row in faces.values()]


def _crop(project: Project, row: dict[str, Any], photo_sha256: str) -> Crop:
    landmarks = tuple(row["landmarks"])
    content = f"{row['crop_sha256']} {photo_sha256} {landmarks} {judge_names(project)}"
    key = project.key(STAGE, hashlib.sha256(content.encode()).hexdigest())
    return Crop(row["face"], row["photo"], photo_sha256, landmarks, key)


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
        names = ("codes", *project.spec.spaces, *map(reference, judge_names(project)))
        arrays = (cache.get(crop.key).arrays for crop in crops)
        write_shards(folder / "arrays", ({name: each[name] for name in names} for each in arrays))
        write_table(folder / "inversions.parquet", table, INVERSIONS)
    return sum(row["low_fidelity"] for row in table)
