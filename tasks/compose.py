"""compose: put the new faces into their photos, and look a second time before anything may be released.

in: photos, data/faces, data/inversions, data/anonymized
out: data/composed (photos/ tree of releasable photos, composed.parquet, checks.parquet, withheld.parquet)
"""

import hashlib
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task

from falco_core.faces.align import landmarks_in_crop
from falco_core.faces.compose import paste
from falco_core.faces.mask import face_mask
from falco_core.images import Photo, decode_photo, encode_photo, output_name, read_png
from falco_core.items import Item
from falco_core.judges.second_look import Limits, Originals, SecondLook, Verdict
from falco_core.reasons import Reason
from falco_core.shards import Shards
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
from tasks.align import detector_for, failure_of, photo_bytes
from tasks.batches import Execute, StageReport, batches_of, forget_failures, fresh_folder, missing
from tasks.project import Project, best_device
from tasks.stages import ANONYMIZED, stage_named
from tasks.stages import COMPOSED as COMPOSED_FOLDER
from tasks.stages import FACES as FACES_FOLDER
from tasks.stages import INVERSIONS as INVERSIONS_FOLDER

STAGE = stage_named("compose")
BATCH = 4
LEFTOVER_THRESHOLD = 0.7
"""Detection probability from which the second look takes something for a face: more suspicious than the first."""


@dataclass(frozen=True)
class Place:
    """A face of a photo: where it is (crop quad, landmarks) and which row of data/inversions is its own."""

    face: str
    row: int
    quad: tuple[float, ...]
    landmarks: tuple[float, ...]


@dataclass(frozen=True)
class Work:
    """A photo all of whose faces were anonymized, and the key of its item."""

    photo: str
    sha256: str
    key: str
    places: tuple[Place, ...]


def run(project: Project, execute: Execute) -> StageReport:
    """Compose the photos that are not kept yet, then write data/composed."""
    works, withheld = _works(project)
    todo = missing([work.key for work in works], project.cache(STAGE).__contains__)
    first_of = {work.key: work for work in works if work.key in todo}
    execute(compose_batch, project.root, batches_of(list(first_of.values()), BATCH))
    released = _assemble(project, works, withheld)
    forget_failures(project.cache(STAGE), todo)
    return StageReport(STAGE.name, len(works), len(todo), (f"{released} photos may be released",))


@task(name="compose")
def compose_batch(root: Path, works: list[Work]) -> None:
    """Compute and keep the items of `works`."""
    project = Project.open(root)
    threshold = min(project.params.align.detection_threshold, LEFTOVER_THRESHOLD)
    look = SecondLook(project.bundle(), detector_for(project.params.align, best_device(), threshold), _limits(project))
    for work in works:
        data = photo_bytes(project, work.photo, work.sha256)
        try:
            item = compose_photo(project, work, data, look)
        except Exception as error:
            item = Item(record={"reason": Reason.FAILED, "detail": failure_of(error), "format": "", "checks": {}})
        project.cache(STAGE).put(work.key, item)


def compose_photo(project: Project, work: Work, original: bytes, look: SecondLook) -> Item:
    """Paste all new faces of one photo, encode it, and judge the encoded file."""
    photo = decode_photo(original, max_pixels=project.params.align.max_pixels)
    pixels, replaced = photo.pixels, {}
    # Smaller faces are farther away: they are drawn first, so that nearer ones cover them.
    for place in sorted(work.places, key=lambda place: (_side(place), place.face)):
        crop = read_png(project.path(ANONYMIZED, "crops", f"{place.face}.png"))
        quad, landmarks = _points(place.quad), _points(place.landmarks)
        pasted = paste(pixels, crop, quad=quad, landmarks=landmarks, mask=_mask(project, place))
        pixels, replaced[place.face] = pasted.pixels, pasted.region
    alpha = photo.alpha
    if alpha is not None:
        # Transparency can draw a face too: new faces are opaque.
        alpha = np.where(np.any(list(replaced.values()), axis=0), np.uint8(255), alpha)
    data = encode_photo(Photo(pixels, photo.format, photo.icc_profile, alpha))
    verdict = look.judge(
        decode_photo(data, max_pixels=project.params.align.max_pixels).pixels,
        quads=[_points(place.quad) for place in work.places],
        replaced=[replaced[place.face] for place in work.places],
        originals=_originals(project, work),
    )
    return _item(work, verdict, data, photo.format)


def _mask(project: Project, place: Place) -> np.ndarray:
    """What of the original's aligned crop is its face: the same pixels for whoever asks."""
    crop = read_png(project.path(FACES_FOLDER, "crops", f"{place.face}.png"))
    inside = landmarks_in_crop(_points(place.landmarks), _points(place.quad), crop.shape[0])
    return face_mask(crop, inside)[0]


def _limits(project: Project) -> Limits:
    """The bundle's thresholds, unless the user wanted another one or allows a margin beyond them."""
    thresholds, wanted = project.spec.thresholds, project.params.compose.max_heldout_similarity
    allowed = project.params.anonymize.margin + project.params.anonymize.margin_tolerance
    return Limits(
        recogniser=max(thresholds.recogniser, allowed),
        heldout=thresholds.heldout if wanted is None else wanted,
    )


def _item(work: Work, verdict: Verdict, data: bytes, photo_format: str) -> Item:
    checks = {place.face: asdict(check) for place, check in zip(work.places, verdict.faces, strict=True)}
    record = {"reason": verdict.reason, "detail": verdict.detail, "format": photo_format, "checks": checks}
    # The bytes of a photo that must not be released are not even kept.
    arrays = {} if verdict.reason else {"file": np.frombuffer(data, dtype=np.uint8)}
    return Item(arrays, record)


def _originals(project: Project, work: Work) -> Originals:
    arrays = Shards(project.path(INVERSIONS_FOLDER, "arrays"))
    rows = [place.row for place in work.places]
    return Originals(*(arrays.rows(name, rows) for name in ("recogniser", "heldout", "farl")))


def _works(project: Project) -> tuple[list[Work], list[dict[str, Any]]]:
    """The photos to compose, and those withheld because one of their faces was not anonymized."""
    outcomes = {row["face"]: row for row in read_table(project.path(ANONYMIZED, "outcomes.parquet"), OUTCOMES)}
    inversions = read_table(project.path(INVERSIONS_FOLDER, "inversions.parquet"), INVERSIONS)
    row_of = {row["face"]: number for number, row in enumerate(inversions)}
    faces_of = defaultdict(list)
    for face in read_table(project.path(FACES_FOLDER, "faces.parquet"), FACES):
        faces_of[face["photo"]].append(face)
    works, withheld = [], []
    for photo in read_table(project.path(FACES_FOLDER, "photos.parquet"), PHOTOS):
        faces = faces_of[photo["photo"]]
        failed = [outcomes[face["face"]] for face in faces if outcomes[face["face"]]["reason"] is not None]
        if failed:
            detail = f"face {failed[0]['face']}: similarity {failed[0]['cosine']:.2f}"
            reason = {"stage": "anonymize", "reason": failed[0]["reason"], "detail": detail}
            withheld.append({"photo": photo["photo"], **reason})
        elif faces:
            places = tuple(
                Place(face["face"], row_of[face["face"]], tuple(face["quad"]), tuple(face["landmarks"]))
                for face in faces
            )
            works.append(Work(photo["photo"], photo["sha256"], _key(project, photo["sha256"], places), places))
    return works, withheld


def _key(project: Project, photo_sha256: str, places: tuple[Place, ...]) -> str:
    content = hashlib.sha256(photo_sha256.encode())
    for place in places:
        content.update(project.path(ANONYMIZED, "crops", f"{place.face}.png").read_bytes())
    return project.key(STAGE, content.hexdigest())


def _assemble(project: Project, works: list[Work], withheld: list[dict[str, Any]]) -> int:
    cache = project.cache(STAGE)
    composed, checks = [], []
    # A photo keeps its name; one whose format changes must not take another's.
    taken = {work.photo for work in works}
    with fresh_folder(project.path(COMPOSED_FOLDER)) as folder:
        (folder / "photos").mkdir()
        for work in works:
            item = cache.get(work.key)
            checks += [{"face": f, "photo": work.photo, **check} for f, check in item.record["checks"].items()]
            if item.record["reason"] is None:
                name = output_name(work.photo, item.record["format"])
                while name != work.photo and name in taken:
                    name = output_name(f"{name}.", item.record["format"])
                taken.add(name)
                composed.append(_write(folder, work, item, name))
            else:
                reason = {"reason": item.record["reason"], "detail": item.record["detail"]}
                withheld.append({"photo": work.photo, "stage": STAGE.name, **reason})
        write_table(folder / "composed.parquet", composed, COMPOSED)
        write_table(folder / "checks.parquet", checks, CHECKS)
        write_table(folder / "withheld.parquet", withheld, WITHHELD)
    return len(composed)


def _write(folder: Path, work: Work, item: Item, file: str) -> dict[str, Any]:
    data = item.arrays["file"].tobytes()
    path = folder / "photos" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"photo": work.photo, "file": file, "sha256": hashlib.sha256(data).hexdigest()}


def _points(flat: tuple[float, ...]) -> np.ndarray:
    return np.asarray(flat, dtype=np.float64).reshape(-1, 2)


def _side(place: Place) -> float:
    corners = _points(place.quad)
    return float(np.linalg.norm(corners[1] - corners[0]))
