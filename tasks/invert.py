"""invert: each crop's W+ code (e4e), its features, and what every judge sees of the original.

in: photos, data/photos.parquet, data/faces    out: data/inversions (Inversion, by face)
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from falco_core.anonymize.inversion import invert
from falco_core.faces.aligned import crops_of, masks_of
from falco_core.judges.roles import acting_judges
from falco_core.judges.seen import reference
from falco_core.photos.codec import decode_photo
from falco_core.photos.digests import read_photo
from falco_core.project.folder import Project
from falco_core.project.stages import FACES, INVERSIONS, stage_named
from falco_core.project.work import Entry
from falco_core.store.bucket import Kept
from falco_core.store.rows import AlignedPhoto, FoundFaceRow, Inversion
from tasks.batches import Execute, KeyedStage, StageReport
from tasks.judging import judges_of, path_of_photos

STAGE = stage_named("invert")


@dataclass(frozen=True)
class Crop:
    """A face, and where its crop and its photo are."""

    bucket: str
    photo: str
    photo_sha256: str
    index: int
    face: FoundFaceRow


def run(project: Project, execute: Execute) -> StageReport:
    """Invert the crops that are not kept yet, then write the artifact."""
    faces = project.artifact(FACES, AlignedPhoto)
    keys, names, paths = (
        project.keys(STAGE),
        acting_judges(project.spec, project.params.judges),
        path_of_photos(project),
    )

    def plan(bucket: str) -> Iterator[Entry[Crop]]:
        for photo in faces.read(bucket):
            for index, face in enumerate(photo.row.faces):
                key = keys.of(face.crop_sha256, photo.id, face.landmarks, names)
                yield Entry(face.face, key, Crop(bucket, paths[photo.id], photo.id, index, face))

    wanted = project.params.invert.batch_size
    done = KEYED.run(project, execute, faces.buckets, plan, size=lambda: project.batch_size(wanted))
    low = sum(
        not item.row.fidelity >= project.params.invert.low_fidelity_below
        for item in project.artifact(INVERSIONS, Inversion).all()
    )
    notes = (f"{low} faces of low fidelity",) if low else ()
    return StageReport(STAGE.name, done.total, done.computed, notes)


def invert_batch(project: Project, entries: list[Entry[Crop]]) -> None:
    """Compute and keep faces."""
    crops = [entry.job for entry in entries]
    inverted = invert(project.bundle(), *_pixels(project, crops))
    items = [
        Kept(entry.id, entry.key, Inversion(entry.job.photo_sha256, face.fidelity, {**face.arrays, **seen}))
        for entry, face, seen in zip(entries, inverted, _seen(project, crops), strict=True)
    ]
    project.kept(STAGE, Inversion, ()).add(items)


def _pixels(project: Project, crops: list[Crop]) -> tuple[np.ndarray, np.ndarray]:
    """The crops uint8 [N, S, S, 3] and masks [N, S, S]."""
    faces = project.artifact(FACES, AlignedPhoto)
    found: dict[str, AlignedPhoto] = {}
    for bucket in {crop.bucket for crop in crops}:
        ids = {crop.photo_sha256 for crop in crops if crop.bucket == bucket}
        found |= {photo.id: photo.row for photo in faces.read(bucket, heavy=("crops", "masks"), ids=ids)}
    pixels = {photo: crops_of(row) for photo, row in found.items()}
    masks = {photo: masks_of(row) for photo, row in found.items()}
    places = [(crop.photo_sha256, crop.index) for crop in crops]
    return np.stack([pixels[photo][n] for photo, n in places]), np.stack([masks[photo][n] for photo, n in places])


def _seen(project: Project, crops: list[Crop]) -> list[dict[str, np.ndarray]]:
    """What every judge sees of each original, in the photo itself."""
    names = acting_judges(project.spec, project.params.judges)
    judges = judges_of(project, names)
    seen, opened, pixels = [], "", np.zeros((0, 0, 3), dtype=np.uint8)
    for crop in crops:
        if crop.photo_sha256 != opened:
            data = read_photo(project.photos, crop.photo, crop.photo_sha256)
            pixels = decode_photo(data, max_pixels=project.params.align.max_pixels).pixels
            opened = crop.photo_sha256
        points = [np.asarray(crop.face.landmarks, dtype=np.float64).reshape(5, 2)]
        seen.append(
            {reference(name): judge.embed(pixels, points)[0] for name, judge in zip(names, judges, strict=True)}
        )
    return seen


KEYED = KeyedStage(STAGE, INVERSIONS, Inversion, invert_batch)
