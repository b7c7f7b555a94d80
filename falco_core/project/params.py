"""params.yaml as one model: a section per stage, every key checked, every error names its key."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from falco_core.bundles.spec import JudgeName, judges_conflict
from falco_core.errors import ParamsError, shown
from falco_core.strict_yaml import RefusedYaml, read_yaml

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Cosine = Annotated[float, Field(ge=-1.0, le=1.0)]
BatchSize = Annotated[int, Field(ge=1, le=1024)] | None
"""Faces of 128 px at a time; None: 16, or as many as have the machine at work. Changes no result."""


class Section(BaseModel):
    """A part of params.yaml: unknown keys are errors, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class InputParams(Section):
    """Where the photos are."""

    photos: str = Field(min_length=1)
    """Folder tree of photos, relative to the project folder or absolute; or an fsspec URL (`s3://bucket/prefix`)."""


class AlignParams(Section):
    """Finding the faces, deciding which of them the generator replaces, and cropping them (FFHQ-style crop quad)."""

    smallest_face: int = Field(12, ge=6, le=4000)
    """Pixels, longer side of the face box: smaller faces are not looked for."""
    smallest_replaced: int = Field(40, ge=6, le=4000)
    """Pixels, shorter side of the face box: smaller faces are concealed instead of replaced."""
    detection_threshold: Annotated[float, Field(ge=0.1, le=1.0)] = 0.37
    """How sure the finder must be that something is a face, 0..1."""
    most_turned: Unit = 0.8
    """Faces turned further to a side (0 frontal, 1 profile) are concealed instead of replaced."""
    most_covered: Unit = 0.25
    """Faces of which something hides a larger share are concealed instead of replaced."""
    max_pixels: int = Field(100_000_000, ge=10_000)
    """Photos with more pixels are withheld before they are decoded."""


class InvertParams(Section):
    """From a crop to its W+ code."""

    low_fidelity_below: Cosine = 0.4
    """A reconstruction less similar than this to its crop (recogniser cosine) is flagged."""
    batch_size: BatchSize = None


class SampleParams(Section):
    """The pool of generated faces."""

    count: int = Field(256, ge=1, le=1_000_000)
    truncation: Unit = 0.7
    """psi: w = w_mean + psi (w - w_mean)."""
    seed: int = Field(0, ge=0)
    batch_size: BatchSize = None


class PairParams(Section):
    """Nearest fake of each face."""

    space: Literal["farl", "recogniser", "clip", "dino"] = "farl"
    metric: Literal["cosine", "euclidean"] = "cosine"


class AnonymizeParams(Section):
    """The latent optimization (FALCO, section 3.3)."""

    objective: Literal["composite", "crop"] = "composite"
    """What both losses look at: the new face in its surroundings, as it is released, or the generated crop alone."""
    margin: Cosine = -0.2
    """Wanted cosine similarity to the original under the recogniser (docs/quality.md: why not the published 0)."""
    margin_tolerance: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """A face that ends above margin + margin_tolerance is tried with another fake, at last concealed."""
    attempts: int = Field(5, ge=1, le=20)
    """How many fakes are tried for a face that the gate still recognises (each harder) or that looks broken."""
    steps: int | None = Field(None, ge=1, le=10_000)
    """null: the bundle's own step rule; a number: so many steps of the published schedule (FALCO: 50)."""
    space: Literal["w+", "s"] | None = None
    """What moves: middle layers of W+ (as published) or the styles made of them; null: as the step rule says."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Of Adam; null: the bundle's."""
    lambda_id: Annotated[float, Field(ge=0.0)] = 10.0
    lambda_attr: Annotated[float, Field(ge=0.0)] = 0.1
    batch_size: BatchSize = None


class SolverParams(Section):
    """How the optimization is carried out."""

    reproduce_released_code: bool = False
    """Use the losses of the authors' released code, deviations from the paper included, for comparison."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """In which the steps are computed; the last look at what came out is always in float32 (docs/performance.md)."""


class ComposeParams(Section):
    """Pasting back, and the second look at the finished photo."""

    otherwise: Literal["mosaic", "solid", "withhold"] = "mosaic"
    """What a face gets that cannot be replaced; withhold: its photo is not released."""
    suspicion: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    """The second look's detection threshold, as a share of align.detection_threshold."""
    min_quality: Unit = 0.3
    """Plausibility below which a new face is tried with another fake, at last concealed."""


class JudgesParams(Section):
    """Who decides whether a new face is still the old one, and who only counts (docs/judges.md)."""

    kind: Literal["auto", "real", "rendered"] = "auto"
    """Whom the photos show; auto: dlib's recogniser tells."""
    gate: Annotated[tuple[JudgeName, ...], Field(min_length=1)] | None = None
    """Recognisers that withhold faces; null: those of the bundle that know the kind of people."""
    audit: tuple[JudgeName, ...] | None = None
    """Recognisers that only count; null: those of the bundle that know the kind of people."""

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        if problem := judges_conflict(self.gate or (), self.audit or ()):
            raise ValueError(problem)
        return self


class ValidateParams(Section):
    """Metrics of the finished dataset."""

    sheet_photos: int = Field(24, ge=1, le=500)
    """Photos on a page of the before/after contact sheets; those that most need a look come first."""
    sheet_pages: int = Field(40, ge=1, le=10_000)
    """Pages at most: of larger datasets those photos that least need a look are left out."""
    outline: bool = False
    """Draw a frame around every face that was drawn over, on the contact sheets."""


class GateParams(Section):
    """Limits on the metrics: outside of them nothing is released."""

    max_reidentification_rate: Unit = 0.05
    """Of released faces, by every judge's count: the upper bound of the 95 % interval must not be above it. Where even
    no recognised face at all could not prove that, for want of faces, none may be recognised."""
    allow_unknown: bool = False
    """Release although no face was judged."""
    min_detection_rate: Unit = 0.5
    max_withheld_rate: Unit = 1.0


class ReleaseParams(Section):
    """What the public folder looks like."""

    names: Literal["keep", "opaque"] = "keep"
    """Names of files and folders: the photos' own, or keyed digests of these that only this project can make."""
    mark: bool = True
    """Say in every released file that it holds computer-made faces (XMP, IPTC digital source type)."""


class StoreParams(Section):
    """Where finished work is kept (changes no result)."""

    path: str = Field(".falco/store", min_length=1)
    """An fsspec path, relative to the project folder if local."""


class RunParams(Section):
    """How a run goes (changes no result)."""

    max_failed_share: Unit = 0.1
    """A stage in which more than one item and a larger share of them failed fails as a whole, to be tried again."""
    runner: Literal["threads", "dask"] = "threads"
    """Where batches are computed: in the stage's own process, or by the workers of a Dask cluster."""
    dask_address: str | None = Field(None, min_length=1)
    """Of a Dask scheduler; null: the stage starts a cluster of its own on this machine."""
    workers: int = Field(2, ge=1, le=1024)
    """Processes of a cluster of the stage's own."""
    gpu_workers: bool = False
    """Give work only to workers that offer the Dask resource GPU, one batch at a time for each GPU=1."""
    max_stage_hours: Annotated[float, Field(gt=0.0)] | None = None
    """A stage that takes longer is ended as failed; what is done is kept. null: as long as it takes."""


class UiParams(Section):
    """What a Prefect server is shown (changes no result)."""

    show_originals: bool = False
    """Pictures of originals and names of photos may go to the server."""


class Params(Section):
    """All of params.yaml."""

    input: InputParams
    bundle: str = Field("mini", min_length=1)
    """A bundle's name, or the path of a bundle folder."""
    align: AlignParams = AlignParams()
    invert: InvertParams = InvertParams()
    sample: SampleParams = SampleParams()
    pair: PairParams = PairParams()
    anonymize: AnonymizeParams = AnonymizeParams()
    solver: SolverParams = SolverParams()
    compose: ComposeParams = ComposeParams()
    judges: JudgesParams = JudgesParams()
    validation: ValidateParams = Field(ValidateParams(), alias="validate")
    gate: GateParams = GateParams()
    release: ReleaseParams = ReleaseParams()
    store: StoreParams = StoreParams()
    run: RunParams = RunParams()
    ui: UiParams = UiParams()

    def value(self, dotted: str) -> Any:
        """The value of a key such as `anonymize.margin`; raises KeyError."""
        value: Any = self.model_dump(mode="json", by_alias=True)
        for part in dotted.split("."):
            value = value[part]
        return value

    def values(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of dotted `keys`."""
        return {key: self.value(key) for key in keys}

    def digest(self, keys: Iterable[str]) -> str:
        """sha256 over the values of `keys`."""
        return hashlib.sha256(json.dumps(self.values(keys), sort_keys=True).encode()).hexdigest()


def load_params(path: Path) -> Params:
    """Read and check `path`; raises ParamsError with one line that names the key."""
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; `falco run PHOTOS --out DIR` makes a project") from None
    except RefusedYaml as error:
        raise ParamsError(f"{path}: not readable as YAML: {error}") from None
    except OSError as error:
        raise ParamsError(f"{path} cannot be read: {error.strerror}") from None
    return parse_params(content, source=str(path))


def parse_params(content: Any, *, source: str) -> Params:
    """Check an already parsed document; `source` is named in the error."""
    if not isinstance(content, dict):
        raise ParamsError(f"{source}: expected sections such as `align:`, found {type(content).__name__}")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{source}: {describe(error)}") from None


def describe(error: ValidationError) -> str:
    """The first problem of a pydantic error as `section.key: what is wrong (got value)`."""
    first = error.errors()[0]
    key = shown(".".join(str(part) for part in first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or correct its spelling"
    if first["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]} (got {shown(repr(first['input']))})"
