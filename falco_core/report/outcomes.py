"""What became of every photo."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from falco_core.reasons import Reason, Treatment
from falco_core.release.names import kept_names
from falco_core.report.risk import risk
from falco_core.store.artifact import Artifact
from falco_core.store.rows import AlignedPhoto, ComposedPhoto, PhotoFile, PhotoOutcome, Withheld


@dataclass(frozen=True, slots=True)
class PhotoSummary:
    """One photo, whatever files it lies in: its format, the digest of its finished file, why it is withheld and where
    that was decided, its faces by what they got, and how much it needs a look.
    """

    stage: str = ""
    reason: Reason | None = None
    detail: str = ""
    format: str = ""
    file_sha256: str = ""
    replaced: int = 0
    concealed: int = 0
    risk: float = 0.0

    def withheld(self, stage: str, reason: Reason, detail: str) -> "PhotoSummary":
        """The same photo, withheld."""
        return replace(self, stage=stage, reason=reason, detail=detail)


UNREADABLE = PhotoSummary("align", Reason.UNDECODABLE, "cannot be opened")
"""Of files that have no digest."""


def summaries(faces: Artifact[AlignedPhoto], composed: Artifact[ComposedPhoto]) -> dict[str, PhotoSummary]:
    """Every photo (sha256) as align and compose left it."""
    found: dict[str, PhotoSummary] = {}
    for bucket in faces.buckets:
        for photo in faces.read(bucket):
            row = photo.row
            found[photo.id] = PhotoSummary("align" if row.reason else "", row.reason, row.detail)
        for finished in composed.read(bucket):
            found[finished.id] = _summary(finished.row)
    return found


def outcomes(files: Iterable[PhotoFile], photos: Mapping[str, PhotoSummary]) -> Iterator[PhotoOutcome]:
    """A row per file, in the order of `files`, with its name in the release (`release.names`)."""
    rows = [(row, photos[row.sha256] if row.sha256 else UNREADABLE) for row in files]
    released = {row.photo: photo.format for row, photo in rows if photo.reason is None}
    names = kept_names(released, (row.photo for row, _ in rows))
    for row, photo in rows:
        name = names.get(row.photo)
        yield PhotoOutcome(
            photo=row.photo,
            sha256=row.sha256,
            file=name,
            file_sha256=photo.file_sha256 if name else None,
            reason=photo.reason,
            detail=photo.detail,
            replaced=photo.replaced,
            concealed=photo.concealed,
            risk=photo.risk,
        )


def withheld_rows(rows: Iterable[PhotoOutcome], photos: Mapping[str, PhotoSummary]) -> Iterator[Withheld]:
    """The files that are not released, and why."""
    for row in rows:
        if row.reason is not None:
            stage = photos[row.sha256].stage if row.sha256 else UNREADABLE.stage
            yield Withheld(row.photo, stage, row.reason, row.detail)


def _summary(row: ComposedPhoto) -> PhotoSummary:
    count = Counter(check.treatment for check in row.checks)
    return PhotoSummary(
        stage="compose" if row.reason else "",
        reason=row.reason,
        detail=row.detail,
        format=row.format,
        file_sha256=row.file_sha256,
        replaced=count[Treatment.REPLACED],
        concealed=count[Treatment.CONCEALED] + count[Treatment.BLANKED],
        risk=risk(row.checks),
    )
