"""compose: draw over every face, and look a second time before anything may be released.

in: photos, data/photos.parquet, data/faces, data/inversions, data/anonymized
out: data/composed (ComposedPhoto, by photo)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from prefect import task

from falco_core.errors import FalcoError
from falco_core.faces.aligned import masks_of
from falco_core.faces.composed import composed_row
from falco_core.faces.conceal import Concealment
from falco_core.faces.find import finder_for
from falco_core.faces.ladder import Climb
from falco_core.faces.place import Place
from falco_core.judges.roles import KIND_JUDGE, Roles
from falco_core.judges.second_look import SecondLook
from falco_core.judges.seen import reference
from falco_core.photos.codec import decode_photo, pixels_of
from falco_core.photos.digests import read_photo
from falco_core.project.folder import Project, best_device
from falco_core.project.stages import ANONYMIZED, COMPOSED, FACES, INVERSIONS, stage_named
from falco_core.project.work import Entry
from falco_core.reasons import Cause, Reason, failure_of
from falco_core.store.bucket import Kept
from falco_core.store.rows import AlignedPhoto, Anonymized, ComposedPhoto, FoundFaceRow, Inversion
from tasks.batches import Execute, KeyedStage, StageReport
from tasks.judging import gates_in, judges_of, path_of_photos, roles_of

STAGE = stage_named("compose")
BATCH = 4


@dataclass(frozen=True)
class Spot:
    """A face of a photo; why it is concealed, or will be after it was drawn and counted (condemned); its quality."""

    face: FoundFaceRow
    gate: tuple[str, ...]
    cause: Cause | None
    condemned: Cause | None
    quality: float | None


@dataclass(frozen=True)
class Work:
    """A photo with faces, and who judges."""

    bucket: str
    photo: str
    spots: tuple[Spot, ...]
    roles: Roles


def run(project: Project, execute: Execute) -> StageReport:
    """Compose the photos that are not kept yet, then write the artifact."""
    faces, inversions = project.artifact(FACES, AlignedPhoto), project.artifact(INVERSIONS, Inversion)
    anonymized = project.artifact(ANONYMIZED, Anonymized)
    keys, roles, paths = project.keys(STAGE), roles_of(project), path_of_photos(project)

    def plan(bucket: str) -> Iterator[Entry[Work]]:
        inverted = inversions.read(bucket, heavy=(reference(KIND_JUDGE),))
        gates, seen = gates_in(inverted, roles), {item.id: _seen_digests(item, roles) for item in inverted}
        new = {item.id: item for item in anonymized.read(bucket)}
        for photo in faces.read(bucket):
            if not photo.row.faces:
                continue
            spots = tuple(_spot(face, gates[face.face], new.get(face.face)) for face in photo.row.faces)
            content = [_content(spot, seen, new) for spot in spots]
            yield Entry(photo.id, keys.of(photo.id, roles.all, content), Work(bucket, paths[photo.id], spots, roles))

    done = KEYED.run(project, execute, faces.buckets, plan, size=BATCH)
    released = sum(item.row.reason is None for item in project.artifact(COMPOSED, ComposedPhoto).all())
    return StageReport(STAGE.name, done.total, done.computed, (f"{released} photos may be released",))


@task(name="compose")
def compose_batch(project: Project, entries: list[Entry[Work]]) -> None:
    """Compute and keep photos."""
    items = []
    for entry in entries:
        data = read_photo(project.photos, entry.job.photo, entry.id)
        try:
            row = _compose(project, entry, data)
        except FalcoError:
            raise  # a judge that does not work is no photo's fault
        except Exception as error:
            row = ComposedPhoto("", Reason.FAILED, failure_of(error), ())
        items.append(Kept(entry.id, entry.key, row, final=row.reason != Reason.FAILED))
    project.kept(STAGE, ComposedPhoto, ()).add(items)


def _compose(project: Project, entry: Entry[Work], original: bytes) -> ComposedPhoto:
    photo = decode_photo(original, max_pixels=project.params.align.max_pixels)
    climb = _climb(project, entry.job.roles)
    places = _places(project, entry, tuple(judge.name for judge in climb.look.judges))
    composition = climb.compose(photo, places, name=entry.id[:16])
    return composed_row(composition, climb.look, photo_format=photo.format)


def _climb(project: Project, roles: Roles) -> Climb:
    params = project.params
    threshold = params.align.detection_threshold * params.compose.suspicion
    look = SecondLook(
        project.bundle(),
        finder_for(best_device(), threshold, params.align.smallest_face),
        gate=judges_of(project, roles.gate),
        others=judges_of(project, (roles.objective, *roles.audit)),
    )
    return Climb(look=look, otherwise=Concealment(params.compose.otherwise), max_pixels=params.align.max_pixels)


def _places(project: Project, entry: Entry[Work], judges: tuple[str, ...]) -> list[Place]:
    bucket, spots = entry.job.bucket, entry.job.spots
    arrays = tuple(map(reference, judges))
    seen = project.artifact(INVERSIONS, Inversion).read(bucket, heavy=arrays, ids={spot.face.face for spot in spots})
    new = project.artifact(ANONYMIZED, Anonymized).read(
        bucket, heavy=("crop",), ids={spot.face.face for spot in spots if spot.cause is None}
    )
    photo = project.artifact(FACES, AlignedPhoto).read(bucket, heavy=("masks",), ids={entry.id})[0]
    references = {item.id: tuple(item.row.arrays[name] for name in arrays) for item in seen}
    crops, masks = {item.id: item.row.crop for item in new}, masks_of(photo.row)
    return [
        Place(
            face=spot.face.face,
            box=np.asarray(spot.face.box),
            quad=_points(spot.face.quad),
            landmarks=_points(spot.face.landmarks),
            references=references[spot.face.face],
            crop=pixels_of(crops[spot.face.face]) if spot.cause is None else None,
            mask=masks[index] if spot.cause is None else None,
            gate=spot.gate,
            condemned=spot.condemned,
            cause=spot.cause,
            score=spot.face.score,
            quality=spot.quality,
        )
        for index, spot in enumerate(spots)
    ]


def _spot(face: FoundFaceRow, gate: tuple[str, ...], new: Kept[Anonymized] | None) -> Spot:
    cause, condemned = face.cause, new.row.cause if new is not None else None
    if condemned == Cause.NOT_FINITE:
        cause, condemned = condemned, None
    quality = new.row.attempts[-1].quality if new is not None else None
    return Spot(face, gate, cause, condemned, quality)


def _content(
    spot: Spot, seen: Mapping[str, tuple[str, ...]], new: Mapping[str, Kept[Anonymized]]
) -> tuple[object, ...]:
    """All of a face that its composed photo depends on."""
    face = spot.face
    drawn = new[face.face].digests["crop"] if spot.cause is None else None
    where = (face.quad, face.landmarks, face.box, face.score)
    return (*where, spot.gate, spot.cause, spot.condemned, spot.quality, seen[face.face], drawn)


def _seen_digests(item: Kept[Inversion], roles: Roles) -> tuple[str, ...]:
    """What stands for the judges' embeddings of an original."""
    return tuple(item.digests[reference(judge)] for judge in roles.all)


def _points(flat: tuple[float, ...]) -> np.ndarray:
    return np.asarray(flat, dtype=np.float64).reshape(-1, 2)


KEYED = KeyedStage(STAGE, COMPOSED, ComposedPhoto, compose_batch)
