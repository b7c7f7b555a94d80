"""anonymize: optimize the middle layers of each W+ code away from the identity, along the attributes.

in: data/faces, data/inversions, data/fakes, data/pairs    out: data/anonymized (Anonymized, by face)
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from falco_core.anonymize.attempts import Faces
from falco_core.anonymize.faces import anonymize_faces, anonymized_row
from falco_core.anonymize.pool import fake_bucket, fake_id
from falco_core.faces.aligned import crops_of, masks_of, shares_of
from falco_core.judges.roles import KIND_JUDGE
from falco_core.judges.seen import reference
from falco_core.project.folder import Project
from falco_core.project.stages import ANONYMIZED, FACES, FAKES, INVERSIONS, PAIRS, stage_named
from falco_core.project.work import Entry
from falco_core.store.bucket import Kept
from falco_core.store.rows import AlignedPhoto, Anonymized, Fake, FoundFaceRow, Inversion, Pairing
from tasks.batches import Execute, KeyedStage, StageReport
from tasks.judging import gates_in, judges_of, roles_of

STAGE = stage_named("anonymize")


@dataclass(frozen=True)
class Face:
    """A face that the generator replaces: where it is kept, its fakes, its landmarks as shares of the crop."""

    bucket: str
    photo_sha256: str
    index: int
    fakes: tuple[int, ...]
    landmarks: tuple[float, ...]
    gate: tuple[str, ...]


def run(project: Project, execute: Execute) -> StageReport:
    """Anonymize the faces that are not kept yet, then write the artifact."""
    faces, inversions = project.artifact(FACES, AlignedPhoto), project.artifact(INVERSIONS, Inversion)
    pairs = project.artifact(PAIRS, Pairing)
    keys, roles = project.keys(STAGE), roles_of(project)
    code_of_fake = {fake.row.number: fake.digests["codes"] for fake in project.artifact(FAKES, Fake).all()}

    def plan(bucket: str) -> Iterator[Entry[Face]]:
        inverted = inversions.read(bucket, heavy=(reference(KIND_JUDGE),))
        gates, item_of = gates_in(inverted, roles), {item.id: item for item in inverted}
        fakes_of = {item.id: item.row.fakes for item in pairs.read(bucket)}
        for photo in faces.read(bucket):
            for index, row in enumerate(photo.row.faces):
                if row.cause is None:
                    fakes, gate, shares = fakes_of[row.face], gates[row.face], _flat_shares(row)
                    item = item_of[row.face]
                    seen = tuple(item.digests[reference(judge)] for judge in gate)
                    codes = (item.digests["codes"], *(code_of_fake[fake] for fake in fakes))
                    key = keys.of(row.crop_sha256, shares, gate, seen, item.row.fidelity, codes)
                    yield Entry(row.face, key, Face(bucket, photo.id, index, fakes, shares, gate))

    wanted = project.params.anonymize.batch_size
    done = KEYED.run(project, execute, faces.buckets, plan, size=lambda: project.batch_size(wanted))
    failed = sum(item.row.cause is not None for item in project.artifact(ANONYMIZED, Anonymized).all())
    notes = (f"{failed} faces could not be anonymized",) if failed else ()
    people = {"unsure": "people of no clear kind"}.get(roles.people, f"{roles.people} people")
    who = "; ".join((f"photos of {people}, judged by {', '.join(roles.gate)}", *roles.notices))
    return StageReport(STAGE.name, done.total, done.computed, (*notes, who))


def anonymize_batch(project: Project, entries: list[Entry[Face]]) -> None:
    """Compute and keep faces."""
    gates = [judges_of(project, entry.job.gate) for entry in entries]
    solved = anonymize_faces(project.bundle(), project.params, _batch(project, entries), gates)
    items = [Kept(entry.id, entry.key, anonymized_row(result)) for entry, result in zip(entries, solved, strict=True)]
    project.kept(STAGE, Anonymized, ()).add(items)


def _batch(project: Project, entries: list[Entry[Face]]) -> Faces:
    faces, inversions = project.artifact(FACES, AlignedPhoto), project.artifact(INVERSIONS, Inversion)
    photos: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    inverted: dict[str, Inversion] = {}
    for bucket, ids in _by_bucket(entries).items():
        for photo in faces.read(bucket, heavy=("crops", "masks"), ids={entries[n].job.photo_sha256 for n in ids}):
            photos[photo.id] = crops_of(photo.row), masks_of(photo.row)
        arrays = ("codes", *{reference(judge) for n in ids for judge in entries[n].job.gate})
        for face in inversions.read(bucket, heavy=arrays, ids={entries[n].id for n in ids}):
            inverted[face.id] = face.row
    crops = np.stack([photos[entry.job.photo_sha256][0][entry.job.index] for entry in entries])
    masks = np.stack([photos[entry.job.photo_sha256][1][entry.job.index] for entry in entries])
    code_of_fake = _fake_codes(project, {fake for entry in entries for fake in entry.job.fakes})
    fake_codes = np.stack([[code_of_fake[fake] for fake in entry.job.fakes] for entry in entries])
    device = project.bundle().device
    return Faces(
        crops=crops,
        masks=masks,
        landmarks=np.array([entry.job.landmarks for entry in entries]).reshape(-1, 5, 2) * crops.shape[1],
        codes=torch.from_numpy(np.stack([inverted[entry.id].arrays["codes"] for entry in entries])).to(device),
        fidelity=np.array([inverted[entry.id].fidelity for entry in entries]),
        references=[[inverted[entry.id].arrays[reference(name)] for name in entry.job.gate] for entry in entries],
        fakes=np.array([entry.job.fakes for entry in entries]),
        fake_codes=torch.from_numpy(fake_codes).to(device),
    )


def _by_bucket(entries: list[Entry[Face]]) -> dict[str, list[int]]:
    """Numbers of the entries of each bucket."""
    found: dict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        found[entry.job.bucket].append(number)
    return found


def _fake_codes(project: Project, numbers: set[int]) -> dict[int, np.ndarray]:
    """The W+ codes [L, D] of fakes."""
    fakes = project.artifact(FAKES, Fake)
    found: dict[int, np.ndarray] = {}
    for bucket in sorted({fake_bucket(number) for number in numbers}):
        ids = {fake_id(number) for number in numbers if fake_bucket(number) == bucket}
        found |= {fake.row.number: fake.row.arrays["codes"] for fake in fakes.read(bucket, heavy=("codes",), ids=ids)}
    return found


def _flat_shares(row: FoundFaceRow) -> tuple[float, ...]:
    return tuple(shares_of(row).ravel().tolist())


KEYED = KeyedStage(STAGE, ANONYMIZED, Anonymized, anonymize_batch)
