"""What a project keeps of one face or photo, drawn. Private: it shows originals."""

from dataclasses import dataclass

import numpy as np
import torch

from falco_core.anonymize.pool import fake_bucket, fake_id
from falco_core.errors import ProjectError
from falco_core.faces.aligned import crops_of, masks_of
from falco_core.photos.codec import pixels_of
from falco_core.photos.tensors import to_pixels
from falco_core.project.folder import Project
from falco_core.project.stages import ANONYMIZED, COMPOSED, FACES, FAKES, INVERSIONS, PAIRS, PHOTO_FILES
from falco_core.report.outcomes import outcomes, summaries
from falco_core.report.pairs import before_and_after
from falco_core.report.sheet import BeforeAfter
from falco_core.store.artifact import Artifact, read_table
from falco_core.store.rows import (
    AlignedPhoto,
    Anonymized,
    ComposedPhoto,
    Fake,
    FoundFaceRow,
    Inversion,
    Pairing,
    PhotoFile,
)


@dataclass(frozen=True)
class ShownFace:
    """A face: pictures by name, uint8 [S, S, 3] each, and lines about it."""

    pictures: dict[str, np.ndarray]
    lines: tuple[str, ...]


def show_face(project: Project, face: str) -> ShownFace:
    """All that is kept of a face (its id); raises ProjectError if there is none of that name."""
    bucket, photo, index = _find(project, face)
    row = photo.faces[index]
    crop, mask = crops_of(photo)[index], masks_of(photo)[index][..., None]
    pictures = {"crop": crop, "mask": np.asarray(crop * (0.25 + 0.75 * mask), dtype=np.uint8)}
    lines = [f"score {row.score:.2f}, landmarks {row.mtcnn_score:.2f}, seen by {row.views}", _treatment(row)]
    inversion = project.artifact(INVERSIONS, Inversion).find(bucket, face, heavy=("codes",))
    if inversion is not None:
        pictures["inversion"] = _drawn(project, inversion.row.arrays["codes"])
        lines.append(f"fidelity of the inversion {inversion.row.fidelity:.2f}")
    pairing = project.artifact(PAIRS, Pairing).find(bucket, face)
    if pairing is not None:
        nearest = pairing.row.fakes[0]
        fakes = project.artifact(FAKES, Fake).read(fake_bucket(nearest), heavy=("codes",), ids={fake_id(nearest)})
        pictures[f"nearest fake, {nearest}"] = _drawn(project, fakes[0].row.arrays["codes"])
    new = project.artifact(ANONYMIZED, Anonymized).find(bucket, face, heavy=("crop",))
    if new is not None:
        if new.row.crop:
            pictures["new face"] = pixels_of(new.row.crop)
        lines += [
            f"attempt {number}: fake {each.fake}, margin {each.margin:.2f}, cosine {each.cosine_start:.2f} -> "
            f"{each.cosine:.2f}, attributes {each.attribute_loss:.3f}, {each.cause or 'good'}"
            for number, each in enumerate(new.row.attempts, start=1)
        ]
    return ShownFace(pictures, tuple(lines))


def faces_of(project: Project, photo: str) -> list[str]:
    """A line for each face of a photo (its path in the photo folder), the id first; empty if it is no photo."""
    digests = {row.sha256 for row in read_table(project.path(PHOTO_FILES), PhotoFile) if row.photo == photo}
    faces = project.artifact(FACES, AlignedPhoto)
    found = [
        item.row
        for bucket in faces.buckets
        if any(digest.startswith(bucket) for digest in digests)
        for item in faces.read(bucket)
        if item.id in digests
    ]
    if digests and not (found and found[0].faces):
        return [f"no face: {found[0].reason if found else 'cannot be opened'}"]
    return [f"{face.face}: {_treatment(face)}" for row in found for face in row.faces]


def show_photo(project: Project, photo: str) -> BeforeAfter:
    """A photo (its path in the photo folder) before and after; raises ProjectError if it is not there."""
    composed = project.artifact(COMPOSED, ComposedPhoto)
    files = [row for row in read_table(project.path(PHOTO_FILES), PhotoFile) if row.photo == photo]
    if not files:
        raise ProjectError(f"{photo} is no photo of this project, nor the id of a face")
    rows = list(outcomes(files, summaries(project.artifact(FACES, AlignedPhoto), composed)))
    (pair,) = before_and_after(rows, project.photos, composed, max_pixels=project.params.align.max_pixels, outline=True)
    return pair


def _find(project: Project, face: str) -> tuple[str, AlignedPhoto, int]:
    faces: Artifact[AlignedPhoto] = project.artifact(FACES, AlignedPhoto)
    for bucket in faces.buckets:
        if face.startswith(bucket):
            for item in faces.read(bucket):
                names = [each.face for each in item.row.faces]
                if face in names:
                    photo = faces.read(bucket, heavy=("crops", "masks"), ids={item.id})[0].row
                    return bucket, photo, names.index(face)
    raise ProjectError(f"no face is called {face}: `falco show PHOTO` names those of a photo")


def _treatment(row: FoundFaceRow) -> str:
    return "replaced" if row.cause is None else f"concealed: {row.cause}"


def _drawn(project: Project, codes: np.ndarray) -> np.ndarray:
    bundle = project.bundle()
    with torch.inference_mode():
        image = bundle.generator.synthesize(torch.from_numpy(codes[None]).to(bundle.device))
    pixels: np.ndarray = to_pixels(image)[0]
    return pixels
