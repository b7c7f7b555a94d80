"""The rows that one stage hands to another. Those of which there are as many as photos in memory have slots."""

from dataclasses import dataclass, field

from falco_core.errors import StoreError, shown
from falco_core.reasons import Cause, Reason, Treatment
from falco_core.store.records import Arrays

Points = tuple[float, ...]
"""x y of points or boxes, one after the other, photo pixels."""


def check_inside(path: str) -> None:
    """Raise StoreError unless a row's path stays in the folder that it is relative to.

    Tables are data that others may have written: a row with another path is never made, neither read nor written.
    """
    if not path or path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise StoreError(f"{shown(path)!r} is no path inside a folder")


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file of the photo folder: path inside it with forward slashes, sha256 of its bytes."""

    photo: str
    sha256: str

    def __post_init__(self) -> None:
        check_inside(self.photo)


@dataclass(frozen=True, slots=True)
class FoundFaceRow:
    """A face of a photo. Identical photos share their faces' ids."""

    face: str
    crop_sha256: str
    """Of the crop's pixels."""
    score: float
    """The finder's."""
    mtcnn_score: float
    """0: MTCNN does not see it."""
    views: str
    """Which views saw it, comma-separated."""
    cause: Cause | None
    """Why it is concealed instead of replaced; None: it is not."""
    box: Points
    """[4] x0 y0 x1 y1."""
    landmarks: Points
    """[10], of eyes, nose, mouth corners."""
    quad: Points
    """[8], of the crop quad's corners."""


@dataclass(frozen=True)
class AlignedPhoto:
    """What align found in a photo; the item's id is the photo's sha256."""

    width: int
    """Pixels, as a viewer shows it; 0 if undecodable."""
    height: int
    reason: Reason | None
    """Why it is withheld; None: it is not."""
    detail: str
    faces: tuple[FoundFaceRow, ...] = ()
    """Left to right."""
    crops: bytes = b""
    """PNG [F * S, S, 3]: the faces' crops, one below the other."""
    masks: bytes = b""
    """PNG [F * S, S]: what of each crop is face (`faces.mask.mask_to_bytes`)."""


@dataclass(frozen=True)
class Inversion:
    """A face in latent and feature space; the item's id is the face's."""

    photo_sha256: str
    fidelity: float
    """Recogniser cosine of the reconstruction to the crop."""
    arrays: Arrays = field(default_factory=dict)
    """codes [L, D]; an embedding per pairing space of the bundle; per judge `judge_NAME` [E]: the original's."""


@dataclass(frozen=True)
class Fake:
    """A generated face; the item's id is its number."""

    number: int
    seed: int
    arrays: Arrays = field(default_factory=dict)
    """codes [L, D] and an embedding per pairing space of the bundle."""


@dataclass(frozen=True)
class Pairing:
    """The nearest fakes of a face, one for each attempt, and how far they are; the item's id is the face's."""

    fakes: tuple[int, ...]
    distances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a face (`anonymize.attempts`)."""

    fake: int
    margin: float
    first_layer: int
    """W+ layers [first, last) that were taken from the fake and optimized."""
    last_layer: int
    cosine_start: float
    """Recogniser cosine to the original before the first step."""
    cosine: float
    """And after the last."""
    attribute_loss: float
    steps: int
    cause: Cause | None
    """Why it failed; None: it did not."""
    quality: float | None = None
    """Plausibility (`judges.plausible`), 0..1; None: there is no picture."""
    recognised_by: str | None = None
    """The gate's judge that knows the face in the composite; None: none."""


@dataclass(frozen=True)
class Anonymized:
    """A face's attempts and what the last one drew; the item's id is the face's."""

    attempts: tuple[Attempt, ...]
    crop: bytes = b""
    """PNG [S, S, 3]; empty where nothing could be drawn."""
    seen: bytes = b""
    """safetensors: what each judge of its gate saw of the new face [1, E] (`judges.seen`), in its original crop (last)
    and alone (drawn); empty where it has none.
    """
    arrays: Arrays = field(default_factory=dict)
    """codes [L, D] of W+, or [S] where styles were optimized (`Generator.draw` draws both)."""

    @property
    def cause(self) -> Cause | None:
        """Why it has no new face; None: it has."""
        return self.attempts[-1].cause


@dataclass(frozen=True, slots=True)
class Check:
    """A face of a finished photo, as the second look saw it last."""

    face: str
    treatment: Treatment
    cause: Cause | None
    """Why it was concealed; None: it was not."""
    judged_by: tuple[str, ...]
    """The gate's judges that decided on it: those that know such people."""
    anonymized: bool
    """It had a new face when the second look first saw it."""
    detected: bool
    """A face is found where it was drawn."""
    likeness: float
    """Of pixels to the original's (`judges.likeness`)."""
    farl_cosine: float
    score: float
    """The finder's, on the original."""
    box: Points
    quality: float | None
    """Plausibility of its new face, concealed afterwards or not; None: it never had one."""


@dataclass(frozen=True)
class ComposedPhoto:
    """A finished photo, or why there is none; the item's id is the photo's sha256."""

    format: str
    """Of the photo's file."""
    reason: Reason | None
    detail: str
    checks: tuple[Check, ...]
    file_sha256: str = ""
    """Of the finished file, as it was judged; empty: withheld."""
    file: bytes = b""
    seen: bytes = b""
    """safetensors: what each judge saw of each face [F, E], row by row of the checks (`judges.seen`)."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A photo that is not released, the stage that decided it, and why."""

    photo: str
    stage: str
    reason: Reason
    detail: str

    def __post_init__(self) -> None:
        check_inside(self.photo)


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """What became of a photo."""

    photo: str
    sha256: str
    """Of the original's bytes."""
    file: str | None
    """Its name in the release, as long as names are kept; None: withheld."""
    file_sha256: str | None
    """Of the finished file's bytes, as they were judged: nothing else is released; None: withheld."""
    reason: Reason | None
    detail: str
    """More about the reason; of a released photo: what of its file the finished one could not keep."""
    replaced: int
    """Faces by what they got."""
    concealed: int
    risk: float
    """0..1: how much it needs a human look (`report.risk`)."""

    def __post_init__(self) -> None:
        check_inside(self.photo)
        if self.file is not None:
            check_inside(self.file)


@dataclass(frozen=True, slots=True)
class ReleasedPhoto:
    """The private way from a photo to its file in the release."""

    photo: str
    name: str | None
    """Path below `photos/` of the release; None: the audit held it back."""
    file_sha256: str
    findings: str
    """What the audit found in the file; empty: nothing but its picture and the mark."""

    def __post_init__(self) -> None:
        check_inside(self.photo)
        if self.name is not None:
            check_inside(self.name)
