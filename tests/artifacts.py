"""What a project's artifacts hold, and how tests plant other things in them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from falco_core.faces.aligned import crops_of
from falco_core.photos.codec import pixels_of, png_of
from falco_core.reasons import Cause, Treatment
from falco_core.store.artifact import Artifact, read_table
from falco_core.store.bucket import Kept, encode_bucket
from falco_core.store.rows import (
    AlignedPhoto,
    Anonymized,
    Check,
    ComposedPhoto,
    FoundFaceRow,
    Inversion,
    PhotoFile,
    PhotoOutcome,
    Withheld,
)

RowType = TypeVar("RowType")
FACES, INVERSIONS = ("data/faces", AlignedPhoto), ("data/inversions", Inversion)
ANONYMIZED, COMPOSED = ("data/anonymized", Anonymized), ("data/composed", ComposedPhoto)


def items(project: Path, artifact: tuple[str, type[RowType]]) -> list[Kept[RowType]]:
    """All items of an artifact, with pictures and arrays."""
    return list(Artifact(project / artifact[0], artifact[1]).all(heavy=None))


def change_items(
    project: Path, artifact: tuple[str, type[RowType]], change: Callable[[Kept[RowType]], RowType]
) -> None:
    """Plant the rows that `change` makes, as a forger would who knows how digests are made."""
    folder, row_class = artifact
    for bucket in Artifact(project / folder, row_class).buckets:
        kept = Artifact(project / folder, row_class).read(bucket, heavy=None)
        path = project / folder / f"{bucket}.parquet"
        path.unlink()
        path.write_bytes(encode_bucket([replace(item, row=change(item)) for item in kept], row_class))


def names(project: Path) -> dict[str, str]:
    """The photo (a name of it) of each sha256."""
    return {row.sha256: row.photo for row in read_table(project / "data/photos.parquet", PhotoFile)}


def faces(project: Path) -> list[tuple[str, FoundFaceRow]]:
    """The photo's name and the row of every face, by name and from left to right."""
    name = names(project)
    return sorted(
        ((name[item.id], face) for item in items(project, FACES) for face in item.row.faces),
        key=lambda found: (found[0], found[1].face),
    )


def crops(project: Path) -> dict[str, np.ndarray]:
    """The crop of each face."""
    return {
        face.face: crop
        for item in items(project, FACES)
        if item.row.faces
        for face, crop in zip(item.row.faces, crops_of(item.row), strict=True)
    }


def new_crops(project: Path) -> dict[str, np.ndarray]:
    """The new face of each face that has one."""
    return {item.id: pixels_of(item.row.crop) for item in items(project, ANONYMIZED) if item.row.crop}


def checks(project: Path) -> list[tuple[str, Check]]:
    """The photo's name and the check of every face that the second look saw, by name."""
    name = names(project)
    found = [(name[item.id], check) for item in items(project, COMPOSED) for check in item.row.checks]
    return sorted(found, key=lambda pair: (pair[0], pair[1].face))


def outcomes(project: Path) -> list[PhotoOutcome]:
    """What became of every photo."""
    return list(read_table(project / "reports/outcomes.parquet", PhotoOutcome))


def reasons(project: Path) -> dict[str, str]:
    """Why photos are withheld."""
    return {row.photo: str(row.reason) for row in read_table(project / "reports/withheld.parquet", Withheld)}


def with_crop(row: Anonymized, crop: np.ndarray) -> Anonymized:
    """A face whose new face is `crop`, and that nothing is known against."""
    attempts = (*row.attempts[:-1], replace(row.attempts[-1], cause=None))
    return replace(row, attempts=attempts, crop=png_of(np.ascontiguousarray(crop)))


def failed(row: Anonymized, cause: str) -> Anonymized:
    """A face that could not be anonymized."""
    return replace(row, attempts=(*row.attempts[:-1], replace(row.attempts[-1], cause=cause)))  # type: ignore[arg-type]


def check(
    *,
    cause: Cause | None = None,
    likeness: float = 0.0,
    score: float = 0.9,
    detected: bool = True,
    quality: float = 1.0,
) -> Check:
    """A face of a finished photo."""
    treatment = Treatment.REPLACED if cause is None else Treatment.CONCEALED
    box = (0.0, 0.0, 9.0, 9.0)
    return Check(
        face="f-00",
        treatment=treatment,
        cause=cause,
        judged_by=("dlib",),
        anonymized=cause is None,
        detected=detected,
        likeness=likeness,
        farl_cosine=0.9,
        score=score,
        box=box,
        quality=quality if cause is None else None,
    )
