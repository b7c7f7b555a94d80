"""compose: draw over every face, and look a second time before anything may be released.

in: photos, data/faces, data/inversions, data/anonymized
out: data/composed (photos/ tree of releasable photos, composed.parquet, checks.parquet, withheld.parquet, embeddings/)
embeddings, row by row of checks.parquet: per judge what it saw of the original, and of the face when the second look
saw it first and last.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task

from falco_core.errors import FalcoError
from falco_core.faces.conceal import Concealment
from falco_core.faces.mask import mask_of_bytes
from falco_core.faces.place import Place
from falco_core.images import decode_photo, output_name, read_png
from falco_core.items import Item
from falco_core.judges.second_look import SecondLook
from falco_core.ladder import Climb, Composition, FaceOutcome
from falco_core.reasons import Cause, Reason
from falco_core.shards import Shards, write_shards
from falco_core.tables import (
    CHECKS,
    COMPOSED,
    FACES,
    INVERSIONS,
    OUTCOMES,
    PHOTOS,
    WITHHELD,
    read_table,
    write_table,
)
from tasks.align import failure_of, finder_for, photo_bytes
from tasks.batches import Execute, StageReport, batches_of, forget_failures, fresh_folder, missing
from tasks.judging import gates_of, judges_of, reference, roles_of, seen_array
from tasks.project import Project, best_device
from tasks.stages import ANONYMIZED, stage_named
from tasks.stages import COMPOSED as COMPOSED_FOLDER
from tasks.stages import FACES as FACES_FOLDER
from tasks.stages import INVERSIONS as INVERSIONS_FOLDER

STAGE = stage_named("compose")
BATCH = 4


@dataclass(frozen=True)
class Spot:
    """A face of a photo: its rows of data/faces and data/inversions; why it is concealed, or will be (condemned)."""

    face: str
    place: int
    row: int
    box: tuple[float, ...]
    quad: tuple[float, ...]
    landmarks: tuple[float, ...]
    score: float
    gate: tuple[str, ...]
    cause: str | None
    condemned: str | None


@dataclass(frozen=True)
class Work:
    """A photo with faces, and the key of its item."""

    photo: str
    sha256: str
    key: str
    spots: tuple[Spot, ...]


def run(project: Project, execute: Execute) -> StageReport:
    """Compose the photos that are not kept yet, then write data/composed."""
    works = _works(project)
    todo = missing([work.key for work in works], project.cache(STAGE).__contains__)
    first_of = {work.key: work for work in works if work.key in todo}
    execute(compose_batch, project.root, batches_of(list(first_of.values()), BATCH))
    released = _assemble(project, works)
    forget_failures(project.cache(STAGE), todo)
    return StageReport(STAGE.name, len(works), len(todo), (f"{released} photos may be released",))


@task(name="compose")
def compose_batch(root: Path, works: list[Work]) -> None:
    """Compute and keep the items of `works`."""
    project = Project.open(root)
    climb = _climb(project)
    for work in works:
        data = photo_bytes(project, work.photo, work.sha256)
        try:
            item = _compose(project, work, data, climb)
        except FalcoError:
            raise  # a judge that does not work is no photo's fault
        except Exception as error:
            item = Item(record={"reason": Reason.FAILED, "detail": failure_of(error), "format": "", "checks": []})
        project.cache(STAGE).put(work.key, item)


def _climb(project: Project) -> Climb:
    params, roles = project.params, roles_of(project)
    threshold = params.align.detection_threshold * params.compose.suspicion
    look = SecondLook(
        project.bundle(),
        finder_for(best_device(), threshold, params.align.smallest_face),
        gate=judges_of(project, roles.gate),
        others=judges_of(project, (roles.objective, *roles.audit)),
    )
    return Climb(
        look=look,
        otherwise=Concealment(params.compose.otherwise),
        max_pixels=params.align.max_pixels,
    )


def _compose(project: Project, work: Work, original: bytes, climb: Climb) -> Item:
    photo = decode_photo(original, max_pixels=project.params.align.max_pixels)
    names = tuple(judge.name for judge in climb.look.judges)
    places = [_place(project, spot, names) for spot in work.spots]
    composition = climb.compose(photo, places, name=work.sha256[:16])
    scores = {spot.face: spot.score for spot in work.spots}
    gate = tuple(judge.name for judge in climb.look.gate)
    checks = [_check(outcome, scores.get(outcome.place.face, 0.0), gate) for outcome in composition.outcomes]
    record = {"reason": composition.reason, "detail": composition.detail, "format": photo.format, "checks": checks}
    return Item(_arrays(composition, names), record)


def _arrays(composition: Composition, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The finished file, if there is one, and what each judge saw of each face: [F, E]."""
    arrays = {}
    for number, name in enumerate(names if composition.outcomes else ()):
        arrays[seen_array("original", name)] = np.stack([o.place.references[number] for o in composition.outcomes])
        arrays[seen_array("first", name)] = np.stack([o.first.embeddings[number] for o in composition.outcomes])
        arrays[seen_array("last", name)] = np.stack([o.last.embeddings[number] for o in composition.outcomes])
    # The bytes of a photo that must not be released are not even kept.
    if composition.data is not None:
        arrays["file"] = np.frombuffer(composition.data, dtype=np.uint8)
    return arrays


def _check(outcome: FaceOutcome, score: float, gate: tuple[str, ...]) -> dict[str, Any]:
    check, place = outcome.last, outcome.place
    return {
        "face": place.face,
        "treatment": _treatment(place),
        "cause": place.cause,
        "judged_by": gate if place.gate is None else place.gate,
        "anonymized": outcome.anonymized,
        "detected": check.detected,
        "likeness": check.likeness,
        "farl_cosine": check.farl_cosine,
        "score": score,
        "box": [float(edge) for edge in place.box],
    }


def _treatment(place: Place) -> str:
    if place.cause is None:
        return "replaced"
    return "blanked" if place.plain else "concealed"


def _place(project: Project, spot: Spot, judges: tuple[str, ...]) -> Place:
    arrays = Shards(project.path(INVERSIONS_FOLDER, "arrays"))
    crop = mask = None
    if not spot.cause:
        crop = read_png(project.path(ANONYMIZED, "crops", f"{spot.face}.png"))
        mask = mask_of_bytes(Shards(project.path(FACES_FOLDER, "arrays")).row("mask", spot.place))
    return Place(
        face=spot.face,
        box=np.asarray(spot.box, dtype=np.float64),
        quad=_points(spot.quad),
        landmarks=_points(spot.landmarks),
        references=tuple(arrays.row(reference(name), spot.row) for name in judges),
        crop=crop,
        mask=mask,
        gate=spot.gate,
        condemned=Cause(spot.condemned) if spot.condemned else None,
        cause=Cause(spot.cause) if spot.cause else None,
    )


def _works(project: Project) -> list[Work]:
    """The photos that have faces."""
    causes = {row["face"]: row["cause"] for row in read_table(project.path(ANONYMIZED, "outcomes.parquet"), OUTCOMES)}
    inversions = read_table(project.path(INVERSIONS_FOLDER, "inversions.parquet"), INVERSIONS)
    row_of = {row["face"]: number for number, row in enumerate(inversions)}
    roles = roles_of(project)
    gates = gates_of(project, roles)
    spots_of: dict[str, list[Spot]] = defaultdict(list)
    for place, row in enumerate(read_table(project.path(FACES_FOLDER, "faces.parquet"), FACES)):
        face = row["face"]
        cause, condemned = row["cause"], causes.get(face)
        if condemned == Cause.NOT_FINITE:
            cause, condemned = condemned, None
        number = row_of[face]
        box, quad, landmarks = (tuple(row[name]) for name in ("box", "quad", "landmarks"))
        spots_of[row["photo"]].append(
            Spot(face, place, number, box, quad, landmarks, row["score"], gates[number], cause, condemned)
        )
    return [
        Work(photo["photo"], photo["sha256"], _key(project, photo["sha256"], spots, roles.all), tuple(spots))
        for photo in read_table(project.path(FACES_FOLDER, "photos.parquet"), PHOTOS)
        if (spots := spots_of[photo["photo"]])
    ]


def _key(project: Project, photo_sha256: str, spots: list[Spot], judges: tuple[str, ...]) -> str:
    content = hashlib.sha256(f"{photo_sha256} {judges}".encode())
    arrays = Shards(project.path(INVERSIONS_FOLDER, "arrays"))
    for spot in spots:
        content.update(f"{spot.quad} {spot.landmarks} {spot.box} {spot.gate} {spot.cause} {spot.condemned}".encode())
        for judge in judges:
            content.update(arrays.row(reference(judge), spot.row).tobytes())
        if spot.cause is None:
            content.update(project.path(ANONYMIZED, "crops", f"{spot.face}.png").read_bytes())
    return project.key(STAGE, content.hexdigest())


def _assemble(project: Project, works: list[Work]) -> int:
    cache = project.cache(STAGE)
    judges = roles_of(project).all
    outcomes = read_table(project.path(ANONYMIZED, "outcomes.parquet"), OUTCOMES)
    quality_of = {row["face"]: row["quality"] for row in outcomes}
    composed: list[dict[str, Any]] = []
    checks: list[dict[str, Any]] = []
    withheld: list[dict[str, Any]] = []
    # A photo keeps its name; one whose format changes must not take another's.
    taken = {work.photo for work in works}
    with fresh_folder(project.path(COMPOSED_FOLDER)) as folder:
        (folder / "photos").mkdir()
        for work in works:
            item = cache.get(work.key)
            checks += [
                {**check, "photo": work.photo, "quality": quality_of.get(check["face"])}
                for check in item.record["checks"]
            ]
            if item.record["reason"] is None:
                name = output_name(work.photo, item.record["format"])
                while name != work.photo and name in taken:
                    name = output_name(f"{name}.", item.record["format"])
                taken.add(name)
                composed.append(_write(folder, work, item, name))
            else:
                reason = {"reason": item.record["reason"], "detail": item.record["detail"]}
                withheld.append({"photo": work.photo, "stage": STAGE.name, **reason})
        write_shards(folder / "embeddings", _embeddings(project, works, judges))
        write_table(folder / "composed.parquet", composed, COMPOSED)
        write_table(folder / "checks.parquet", checks, CHECKS)
        write_table(folder / "withheld.parquet", withheld, WITHHELD)
    return len(composed)


def _embeddings(project: Project, works: list[Work], judges: tuple[str, ...]) -> Iterator[dict[str, np.ndarray]]:
    """What each judge saw of each face, row by row of the checks."""
    for work in works:
        item = project.cache(STAGE).get(work.key)
        for number in range(len(item.record["checks"])):
            names = (seen_array(when, judge) for judge in judges for when in ("original", "first", "last"))
            yield {name: item.arrays[name][number] for name in names}


def _write(folder: Path, work: Work, item: Item, file: str) -> dict[str, Any]:
    data = item.arrays["file"].tobytes()
    path = folder / "photos" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"photo": work.photo, "file": file, "sha256": hashlib.sha256(data).hexdigest()}


def _points(flat: tuple[float, ...]) -> np.ndarray:
    return np.asarray(flat, dtype=np.float64).reshape(-1, 2)
