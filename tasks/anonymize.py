"""anonymize: optimize the middle layers of each W+ code away from the identity, along the attributes.

in: data/faces, data/inversions, data/fakes, data/pairs.parquet
out: data/anonymized (outcomes.parquet, attempts.parquet, arrays/ with codes [L, D] row by row of the outcomes,
crops/FACE.png)
"""

import hashlib
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from prefect import task

from falco_core.anonymize import Solver
from falco_core.anonymize.attempts import Faces, anonymize
from falco_core.anonymize.rungs import Plan, Rung
from falco_core.faces.align import landmarks_in_crop
from falco_core.faces.mask import mask_of_bytes
from falco_core.images import read_png, write_png
from falco_core.items import Item
from falco_core.judges.plausible import Plausibility
from falco_core.reasons import Cause
from falco_core.shards import Shards, write_shards
from falco_core.tables import ATTEMPTS, FACES, INVERSIONS, OUTCOMES, PAIRS, read_table, write_table
from tasks.batches import Execute, StageReport, batches_of, fresh_folder, missing
from tasks.judging import gates_of, judges_of, reference, roles_of
from tasks.project import Project, best_device
from tasks.stages import ANONYMIZED, FAKES, stage_named
from tasks.stages import FACES as FACES_FOLDER
from tasks.stages import INVERSIONS as INVERSIONS_FOLDER
from tasks.stages import PAIRS as PAIRS_TABLE

STAGE = stage_named("anonymize")


@dataclass(frozen=True)
class Face:
    """A face: its rows in data/faces and data/inversions, its fakes, its landmarks as shares of the crop, its key."""

    face: str
    place: int
    row: int
    fakes: tuple[int, ...]
    landmarks: tuple[float, ...]
    gate: tuple[str, ...]
    fidelity: float
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
    return StageReport(STAGE.name, len(faces), len(todo), (*notes, _who_judges(project)))


@task(name="anonymize")
def anonymize_batch(root: Path, faces: list[Face]) -> None:
    """Compute and keep the items of `faces`."""
    project = Project.open(root)
    bundle, params = project.bundle(), project.params.anonymize

    def solver_of(rung: Rung) -> Solver:
        changed = params.model_copy(update={"margin": rung.margin})
        return Solver(bundle, changed, project.params.solver, layers=rung.layers)

    solved = anonymize(
        _batch(project, faces),
        solver_of,
        [judges_of(project, face.gate) for face in faces],
        _plausibility(best_device()),
        _plan(project),
    )
    for face, result in zip(faces, solved, strict=True):
        record = {"attempts": [asdict(attempt) for attempt in result.attempts]}
        project.cache(STAGE).put(face.key, Item({"code": result.code, "crop": result.crop}, record))


def _plan(project: Project) -> Plan:
    params, spec = project.params.anonymize, project.spec
    return Plan(
        attempts=params.attempts,
        margin=params.margin,
        layers=spec.optimize_layers,
        num_layers=spec.num_layers,
        # The released code knows the crop alone.
        objective="crop" if project.params.solver.reproduce_released_code else params.objective,
        min_quality=project.params.compose.min_quality,
    )


@lru_cache(maxsize=1)
def _plausibility(device: str) -> Plausibility:
    return Plausibility(device=device)


def _who_judges(project: Project) -> str:
    """Like `photos of real people, judged by dlib, sface`; with what is to be said about these judges."""
    roles = roles_of(project)
    people = {"unsure": "people of no clear kind"}.get(roles.people, f"{roles.people} people")
    return "; ".join((f"photos of {people}, judged by {', '.join(roles.gate)}", *roles.notices))


def _batch(project: Project, faces: list[Face]) -> Faces:
    device = project.bundle().device
    crops = [read_png(project.path(FACES_FOLDER, "crops", f"{face.face}.png")) for face in faces]
    inversions = Shards(project.path(INVERSIONS_FOLDER, "arrays"))
    real = inversions.rows("codes", [face.row for face in faces])
    fakes = Shards(project.path(FAKES, "arrays"))
    return Faces(
        crops=np.stack(crops),
        masks=mask_of_bytes(Shards(project.path(FACES_FOLDER, "arrays")).rows("mask", [face.place for face in faces])),
        landmarks=np.array([face.landmarks for face in faces]).reshape(-1, 5, 2) * len(crops[0]),
        codes=torch.from_numpy(real).to(device),
        fidelity=np.array([face.fidelity for face in faces]),
        references=[[inversions.row(reference(judge), face.row) for judge in face.gate] for face in faces],
        fakes=np.array([face.fakes for face in faces]),
        fake_codes=torch.from_numpy(np.stack([fakes.rows("codes", face.fakes) for face in faces])).to(device),
    )


def _faces(project: Project) -> list[Face]:
    """The distinct faces that the generator replaces."""
    table = read_table(project.path(FACES_FOLDER, "faces.parquet"), FACES)
    rows = {row["face"]: {**row, "place": place} for place, row in enumerate(table)}
    fakes_of = {row["face"]: tuple(row["fakes"]) for row in read_table(project.path(PAIRS_TABLE), PAIRS)}
    inversions = read_table(project.path(INVERSIONS_FOLDER, "inversions.parquet"), INVERSIONS)
    gates = gates_of(project, roles_of(project))
    return [
        _face(
            project, rows[inversion["face"]], number, inversion["fidelity"], fakes_of[inversion["face"]], gates[number]
        )
        for number, inversion in enumerate(inversions)
        if rows[inversion["face"]]["cause"] is None
    ]


def _face(
    project: Project,
    row: dict[str, Any],
    number: int,
    fidelity: float,
    fakes: tuple[int, ...],
    gate: tuple[str, ...],
) -> Face:
    landmarks = _shares(np.asarray(row["landmarks"]).reshape(5, 2), np.asarray(row["quad"]).reshape(4, 2))
    inversions, pool = Shards(project.path(INVERSIONS_FOLDER, "arrays")), Shards(project.path(FAKES, "arrays"))
    content = hashlib.sha256(f"{row['crop_sha256']} {landmarks} {gate} {fidelity}".encode())
    references = (inversions.row(reference(judge), number) for judge in gate)
    for array in (inversions.row("codes", number), *references, *(pool.row("codes", fake) for fake in fakes)):
        content.update(array.tobytes())
    key = project.key(STAGE, content.hexdigest())
    return Face(row["face"], row["place"], number, fakes, landmarks, gate, fidelity, key)


def _shares(points: np.ndarray, quad: np.ndarray) -> tuple[float, ...]:
    """Photo positions [5, 2] as shares of the crop quad's sides."""
    return tuple(float(share) for share in landmarks_in_crop(points, quad, 1).ravel().round(6))


def _assemble(project: Project, faces: list[Face]) -> int:
    cache = project.cache(STAGE)
    outcomes: list[dict[str, Any]] = []
    attempts: list[dict[str, Any]] = []
    with fresh_folder(project.path(ANONYMIZED)) as folder:
        (folder / "crops").mkdir()
        for face in faces:
            item = cache.get(face.key)
            made = item.record["attempts"]
            last = made[-1]
            attempts += [{"face": face.face, "attempt": number, **each} for number, each in enumerate(made)]
            outcomes.append({"face": face.face, "attempts": len(made), **last})
            # A face that failed is drawn and counted before it is concealed, unless nothing can be drawn.
            if last["cause"] != Cause.NOT_FINITE:
                write_png(folder / "crops" / f"{face.face}.png", item.arrays["crop"])
        codes = ({"codes": cache.get(face.key).arrays["code"]} for face in faces)
        write_shards(folder / "arrays", codes)
        write_table(folder / "outcomes.parquet", outcomes, OUTCOMES)
        write_table(folder / "attempts.parquet", attempts, ATTEMPTS)
    return sum(row["cause"] is not None for row in outcomes)
