"""compose: draw over every face, and look a second time before anything may be released.

in: photos, data/photos.parquet, data/faces, data/inversions, data/anonymized
out: data/composed (ComposedPhoto, by photo)
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from falco_core.errors import FalcoError
from falco_core.faces.aligned import masks_of
from falco_core.faces.composing import Spot, climb_for, composed_row, judges_of_look
from falco_core.faces.place import Place
from falco_core.judges.finished import gallery_of, near_before_composing
from falco_core.judges.roles import KIND_JUDGE, Roles
from falco_core.judges.seen import Seen, reference
from falco_core.parallel import side_by_side
from falco_core.photos.codec import decode_photo
from falco_core.photos.digests import read_photo
from falco_core.project.failures import check_failed_share
from falco_core.project.folder import Project
from falco_core.project.stages import ANONYMIZED, COMPOSED, FACES, INVERSIONS, stage_named
from falco_core.project.work import Entry
from falco_core.reasons import Reason, failure_of
from falco_core.store.artifact import Artifact
from falco_core.store.bucket import Kept
from falco_core.store.rows import AlignedPhoto, Anonymized, ComposedPhoto, Inversion
from tasks.batches import Execute, KeyedStage, StageReport
from tasks.judging import gates_in, judges_of, path_of_photos, roles_of, searches_of

STAGE = stage_named("compose")
BATCH = 4


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
    near = _near(project, roles, inversions, anonymized)

    def plan(bucket: str) -> Iterator[Entry[Work]]:
        inverted = inversions.read(bucket, heavy=(reference(KIND_JUDGE),))
        gates, seen = gates_in(inverted, roles), {item.id: _seen_digests(item, roles) for item in inverted}
        new = {item.id: item for item in anonymized.read(bucket)}
        rows = {face: item.row for face, item in new.items()}
        for photo in faces.read(bucket):
            if not photo.row.faces:
                continue
            spots = tuple(Spot.of(face, gates[face.face], rows.get(face.face), near) for face in photo.row.faces)
            content = [_content(spot, seen, new) for spot in spots]
            yield Entry(photo.id, keys.of(photo.id, roles.all, content), Work(bucket, paths[photo.id], spots, roles))

    done = KEYED.run(project, execute, faces.buckets, plan, size=lambda: BATCH)
    released = check_failed_share(
        project, STAGE, (item.row for item in project.artifact(COMPOSED, ComposedPhoto).all())
    )
    return StageReport(STAGE.name, done.total, done.computed, (f"{released} photos may be released",))


def compose_batch(project: Project, entries: list[Entry[Work]]) -> None:
    """Compute and keep photos."""
    places = _places(project, entries)

    def item(entry: Entry[Work]) -> Kept[ComposedPhoto]:
        data = read_photo(project.photos, entry.job.photo, entry.id)
        try:
            row = _compose(project, entry.job.roles, data, places[entry.id], name=entry.id[:16])
        except FalcoError:
            raise  # a judge that does not work is no photo's fault
        except Exception as error:
            row = ComposedPhoto("", Reason.FAILED, failure_of(error), ())
        return Kept(entry.id, entry.key, row, final=row.reason != Reason.FAILED)

    project.kept(STAGE, ComposedPhoto, ()).add(side_by_side(item, entries))


def _compose(project: Project, roles: Roles, original: bytes, places: list[Place], *, name: str) -> ComposedPhoto:
    photo = decode_photo(original, max_pixels=project.params.align.max_pixels)
    climb = climb_for(project.bundle(), project.params, roles)
    composition = climb.compose(photo, places, name=name)
    return composed_row(composition, climb.look, photo_format=photo.format)


def _places(project: Project, entries: list[Entry[Work]]) -> dict[str, list[Place]]:
    """Where and what to draw in each photo (sha256)."""
    found: dict[str, list[Place]] = {}
    for bucket in sorted({entry.job.bucket for entry in entries}):
        own = {entry.id: entry.job for entry in entries if entry.job.bucket == bucket}
        spots = [spot for job in own.values() for spot in job.spots]
        names = {name for job in own.values() for name in judges_of_look(job.roles)}
        seen = project.artifact(INVERSIONS, Inversion).read(
            bucket, heavy=tuple(map(reference, sorted(names))), ids={spot.face.face for spot in spots}
        )
        new = project.artifact(ANONYMIZED, Anonymized).read(
            bucket, heavy=("crop",), ids={spot.face.face for spot in spots if spot.cause is None}
        )
        originals = {item.id: item.row for item in seen}
        drawn = {item.id: item.row for item in new}
        for photo in project.artifact(FACES, AlignedPhoto).read(bucket, heavy=("masks",), ids=own):
            job, masks = own[photo.id], masks_of(photo.row)
            found[photo.id] = [
                spot.place(
                    tuple(originals[spot.face.face].arrays[reference(name)] for name in judges_of_look(job.roles)),
                    drawn.get(spot.face.face),
                    masks[index],
                )
                for index, spot in enumerate(job.spots)
            ]
    return found


def _content(
    spot: Spot, seen: Mapping[str, tuple[str, ...]], new: Mapping[str, Kept[Anonymized]]
) -> tuple[object, ...]:
    """All of a face that its composed photo depends on."""
    face = spot.face
    drawn = new[face.face].digests["crop"] if spot.cause is None else None
    where = (face.quad, face.landmarks, face.box, face.score)
    return (*where, spot.gate, spot.cause, spot.condemned, spot.quality, seen[face.face], drawn)


def _near(
    project: Project, roles: Roles, inversions: Artifact[Inversion], anonymized: Artifact[Anonymized]
) -> frozenset[str]:
    """The new faces that are near to an original of the dataset, by their crops alone."""
    judges, searches = judges_of(project, roles.gate), searches_of(project, STAGE)
    galleries = [gallery_of(inversions, judge, searches.before(judge.name)) for judge in judges]
    new = (_new_seen(anonymized.read(bucket, heavy=("seen",))) for bucket in anonymized.buckets)
    near = near_before_composing(galleries, new)
    for gallery in galleries:
        searches.keep(gallery.judge.name, gallery.searched())
    return near


def _new_seen(items: Iterable[Kept[Anonymized]]) -> dict[str, Seen]:
    """What the gate saw of each new face (id)."""
    return {item.id: Seen.from_bytes(item.row.seen) for item in items}


def _seen_digests(item: Kept[Inversion], roles: Roles) -> tuple[str, ...]:
    """What stands for the judges' embeddings of an original."""
    return tuple(item.digests[reference(judge)] for judge in roles.all)


KEYED = KeyedStage(STAGE, COMPOSED, ComposedPhoto, compose_batch)
