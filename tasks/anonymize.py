"""anonymize: optimize the middle layers of each W+ code away from the identity, along the attributes.

in: data/faces, data/inversions, data/fakes, data/pairs.parquet
out: data/anonymized (outcomes.parquet, arrays/ with codes [L, D] row by row of the table, crops/FACE.png)
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from prefect import task

from falco_core.anonymize import Problem, Solver
from falco_core.images import read_png, write_png
from falco_core.items import Item
from falco_core.shards import Shards, write_shards
from falco_core.tables import FACES, OUTCOMES, PAIRS, read_table, write_table
from falco_core.tensors import to_pixels, to_tensor
from tasks.batches import Execute, StageReport, batches_of, fresh_folder, missing
from tasks.project import Project
from tasks.stages import ANONYMIZED, FAKES, INVERSIONS, stage_named
from tasks.stages import FACES as FACES_FOLDER
from tasks.stages import PAIRS as PAIRS_TABLE

STAGE = stage_named("anonymize")


@dataclass(frozen=True)
class Face:
    """A face, its row in data/inversions, its paired fake, and the key of its item."""

    face: str
    row: int
    fake: int
    key: str


def run(project: Project, execute: Execute) -> StageReport:
    """Anonymize the faces that are not kept yet, then write data/anonymized."""
    faces = _faces(project)
    todo = missing([face.key for face in faces], project.cache(STAGE).__contains__)
    first_of = {face.key: face for face in faces if face.key in todo}
    batches = batches_of(list(first_of.values()), project.batch_size(project.params.anonymize.batch_size))
    execute(anonymize_batch, project.root, batches)
    failed = _assemble(project, faces)
    notes = (f"{failed} faces could not be anonymized",) if failed else ()
    return StageReport(STAGE.name, len(faces), len(todo), notes)


@task(name="anonymize")
def anonymize_batch(root: Path, faces: list[Face]) -> None:
    """Compute and keep the items of `faces`."""
    project = Project.open(root)
    bundle = project.bundle()
    pixels = [read_png(project.path(FACES_FOLDER, "crops", f"{face.face}.png")) for face in faces]
    real = Shards(project.path(INVERSIONS, "arrays")).rows("codes", [face.row for face in faces])
    fake = Shards(project.path(FAKES, "arrays")).rows("codes", [face.fake for face in faces])
    problem = Problem(
        crops=torch.cat([to_tensor(each) for each in pixels]).to(bundle.device),
        real=torch.from_numpy(real).to(bundle.device),
        fake=torch.from_numpy(fake).to(bundle.device),
    )
    outcome = Solver(bundle, project.params.anonymize, project.params.solver).solve(problem)
    shown = to_pixels(outcome.images)
    for index, face in enumerate(faces):
        record = {
            "reason": outcome.reasons[index],
            "cosine_start": float(outcome.cosine_start[index]),
            "cosine": float(outcome.cosine[index]),
            "attribute_loss": float(outcome.attribute_loss[index]),
            "steps": outcome.steps,
        }
        code = outcome.codes[index].cpu().numpy()
        project.cache(STAGE).put(face.key, Item({"code": code, "crop": shown[index]}, record))


def _faces(project: Project) -> list[Face]:
    crops = {row["face"]: row["crop_sha256"] for row in read_table(project.path(FACES_FOLDER, "faces.parquet"), FACES)}
    inversions = Shards(project.path(INVERSIONS, "arrays"))
    fakes = Shards(project.path(FAKES, "arrays"))
    faces = []
    for row, pair in enumerate(read_table(project.path(PAIRS_TABLE), PAIRS)):
        codes = (inversions.row("codes", row), fakes.row("codes", pair["fake"]))
        content = hashlib.sha256(crops[pair["face"]].encode() + b"".join(code.tobytes() for code in codes))
        key = project.key(STAGE, content.hexdigest())
        faces.append(Face(pair["face"], row, pair["fake"], key))
    return faces


def _assemble(project: Project, faces: list[Face]) -> int:
    cache = project.cache(STAGE)
    table = []
    with fresh_folder(project.path(ANONYMIZED)) as folder:
        (folder / "crops").mkdir()
        for face in faces:
            item = cache.get(face.key)
            table.append({"face": face.face, "fake": face.fake, **item.record})
            if item.record["reason"] is None:
                write_png(folder / "crops" / f"{face.face}.png", item.arrays["crop"])
        codes = ({"codes": cache.get(face.key).arrays["code"]} for face in faces)
        write_shards(folder / "arrays", codes)
        write_table(folder / "outcomes.parquet", table, OUTCOMES)
    return sum(row["reason"] is not None for row in table)
