"""align: find every face of every photo, decide which of them the generator replaces, and crop them.

in: photos    out: data/faces (photos.parquet, faces.parquet, withheld.parquet, crops/FACE.png, arrays/)
arrays, row by row of faces.parquet: mask uint8 [S, S], what of the crop is face (`falco_core.faces.mask`).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from prefect import task

from falco_core.errors import ProjectError, UnreadablePhoto
from falco_core.faces.align import crop_quad, extract_crop, landmarks_in_crop
from falco_core.faces.find import Finder
from falco_core.faces.mask import face_mask, mask_to_bytes
from falco_core.faces.place import sound_landmarks
from falco_core.faces.treatment import Limits, why_concealed
from falco_core.photos.codec import Photo, decode_photo, write_png
from falco_core.photos.folder import PHOTO_SUFFIXES, list_photos
from falco_core.project.folder import Project, best_device
from falco_core.project.stages import FACES as FACES_FOLDER
from falco_core.project.stages import stage_named
from falco_core.reasons import Reason
from falco_core.store.items import Item
from falco_core.store.shards import write_shards
from falco_core.store.tables import FACES, PHOTOS, WITHHELD, write_table
from tasks.batches import Execute, StageReport, batches_of, forget_failures, fresh_folder, missing

STAGE = stage_named("align")
BATCH = 8


@dataclass(frozen=True)
class PhotoFile:
    """One file of the photo folder and the key of its item."""

    photo: str
    sha256: str
    key: str


def run(project: Project, execute: Execute) -> StageReport:
    """Detect and crop what is not kept yet, then write data/faces."""
    photos, ignored = list_photos(project.photos)
    if not photos:
        raise ProjectError(f"no photos under {project.photos}: looked for {', '.join(sorted(PHOTO_SUFFIXES))}")
    files = [_photo_file(project, str(photo)) for photo in photos]
    todo = missing([file.key for file in files], project.cache(STAGE).__contains__)
    first_of = {file.key: file for file in reversed(files) if file.key in todo}
    execute(align_batch, project.root, batches_of(list(first_of.values()), BATCH))
    _assemble(project, files)
    forget_failures(project.cache(STAGE), todo)
    notes = (f"{len(ignored)} other files in the photo folder were left alone",) if ignored else ()
    return StageReport(STAGE.name, len(files), len(todo), notes)


@task(name="align")
def align_batch(root: Path, files: list[PhotoFile]) -> None:
    """Compute and keep the items of `files`."""
    project = Project.open(root)
    params = project.params.align
    finder = finder_for(best_device(), params.detection_threshold, params.smallest_face)
    limits = Limits(params.smallest_replaced, params.most_turned, params.most_covered)
    size = project.spec.resolution
    for file in files:
        data = photo_bytes(project, file.photo, file.sha256)
        try:
            photo = decode_photo(data, max_pixels=params.max_pixels)
            item = align_photo(photo, finder, limits, size)
        except UnreadablePhoto as error:
            item = _withheld_item(error.reason, error.detail)
        except Exception as error:
            item = _withheld_item(Reason.FAILED, failure_of(error))
        project.cache(STAGE).put(file.key, item)


def align_photo(photo: Photo, finder: Finder, limits: Limits, size: int) -> Item:
    """Faces and crops of one photo; a photo without a face gets its reason instead."""
    height, width = photo.pixels.shape[:2]
    faces = finder.find(photo.pixels)
    record = {"width": width, "height": height, "reason": None, "detail": ""}
    if not faces:
        return Item(record={**record, "reason": Reason.NO_FACE_FOUND, "detail": "the detector finds no face"})
    landmarks = [sound_landmarks(face) for face in faces]
    quads = [crop_quad(points) for points in landmarks]
    crops = [extract_crop(photo.pixels, quad, size) for quad in quads]
    inside = [landmarks_in_crop(points, quad, size) for points, quad in zip(landmarks, quads, strict=True)]
    masks = [face_mask(crop, points) for crop, points in zip(crops, inside, strict=True)]
    arrays = {
        "crops": np.stack(crops),
        "masks": np.stack([mask_to_bytes(mask) for mask, _ in masks]),
        "quads": np.stack(quads).astype(np.float64),
        "boxes": np.stack([face.box for face in faces]).astype(np.float32),
        "landmarks": np.stack(landmarks).astype(np.float32),
        "scores": np.array([(face.score, face.mtcnn_score) for face in faces], dtype=np.float32),
    }
    causes = [
        why_concealed(face, photo.pixels.shape, quality.covered, limits)
        for face, (_, quality) in zip(faces, masks, strict=True)
    ]
    return Item(arrays, {**record, "causes": causes, "views": [",".join(face.views) for face in faces]})


@lru_cache(maxsize=2)
def finder_for(device: str, threshold: float, smallest: int) -> Finder:
    """The finder these params describe, loaded once per process."""
    return Finder(device=device, threshold=threshold, smallest=smallest)


def photo_bytes(project: Project, photo: str, sha256: str) -> bytes:
    """The photo file's bytes; raises ProjectError if they are no longer those of `sha256`."""
    data = (project.photos / photo).read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ProjectError(f"{photo} changed during the run: run again when the photo folder is at rest")
    return data


def failure_of(error: Exception) -> str:
    """What broke on one photo, in one line; too little memory is no fault of the photo and is raised again."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        raise error
    return " ".join(f"{type(error).__name__}: {error}".split())


def _withheld_item(reason: Reason, detail: str) -> Item:
    return Item(record={"width": 0, "height": 0, "reason": reason, "detail": detail})


def _assemble(project: Project, files: Sequence[PhotoFile]) -> None:
    cache = project.cache(STAGE)
    photos, faces, masks, withheld = [], [], [], []
    with fresh_folder(project.path(FACES_FOLDER)) as folder:
        (folder / "crops").mkdir()
        for file in files:
            item = cache.get(file.key)
            rows = list(_face_rows(file, item))
            for row, crop in zip(rows, item.arrays.get("crops", ()), strict=True):
                write_png(folder / "crops" / f"{row['face']}.png", crop)
            faces += rows
            masks += [{"mask": mask} for mask in item.arrays.get("masks", ())]
            size = {"width": item.record["width"], "height": item.record["height"]}
            photos.append({"photo": file.photo, "sha256": file.sha256, "faces": len(rows), **size})
            if item.record["reason"]:
                reason = {"reason": item.record["reason"], "detail": item.record["detail"]}
                withheld.append({"photo": file.photo, "stage": STAGE.name, **reason})
        write_table(folder / "photos.parquet", photos, PHOTOS)
        write_shards(folder / "arrays", masks)
        write_table(folder / "faces.parquet", faces, FACES)
        write_table(folder / "withheld.parquet", withheld, WITHHELD)


def _face_rows(file: PhotoFile, item: Item) -> Iterator[dict[str, object]]:
    arrays = item.arrays
    for index, crop in enumerate(arrays.get("crops", ())):
        yield {
            "face": f"{file.sha256[:16]}-{index:02d}",
            "photo": file.photo,
            "index": index,
            "crop_sha256": hashlib.sha256(crop.tobytes()).hexdigest(),
            "score": float(arrays["scores"][index][0]),
            "mtcnn_score": float(arrays["scores"][index][1]),
            "views": item.record["views"][index],
            "cause": item.record["causes"][index],
            "box": arrays["boxes"][index],
            "landmarks": arrays["landmarks"][index].reshape(10),
            "quad": arrays["quads"][index].reshape(8),
        }


def _photo_file(project: Project, photo: str) -> PhotoFile:
    digest = hashlib.sha256((project.photos / photo).read_bytes()).hexdigest()
    return PhotoFile(photo, digest, project.key(STAGE, digest))
