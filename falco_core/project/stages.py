"""The data flow in one table: what each stage reads, writes and depends on. dvc.yaml is made from it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A row of the table.

    `version` is raised by hand whenever the stage's code changes its results: items and DVC stages of the old version
    are then computed anew. `reads` and `writes` are artifacts, relative to the project folder; `params` are dotted
    keys of params.yaml that change results; `networks` are the bundle's networks the results depend on.
    """

    name: str
    version: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    params: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    """Like the metrics small, of no photo by name, and tracked by git instead of DVC."""

    @property
    def all_writes(self) -> tuple[str, ...]:
        """Every file and folder that it makes."""
        return (*self.writes, *self.metrics, *self.plots)


PHOTOS = ".falco/photos"
"""A link to the photo folder: see `project.private`."""
PHOTO_FILES = "data/photos.parquet"
PASSED_OVER = "data/passed_over.parquet"
FACES = "data/faces"
INVERSIONS = "data/inversions"
FAKES = "data/fakes"
PAIRS = "data/pairs"
ANONYMIZED = "data/anonymized"
COMPOSED = "data/composed"
METRICS = "reports/metrics.json"
WITHHELD = "reports/withheld.parquet"
OUTCOMES = "reports/outcomes.parquet"
SHEETS = "reports/contact_sheets"
REPORT = "reports/report.html"
SIMILARITY_PLOT = "reports/plots/similarity.csv"
UTILITY_PLOT = "reports/plots/privacy_utility.csv"
GATE = "reports/gate.json"
RELEASE = "release"
RELEASED = "data/released.parquet"

_FINDING = ("align.smallest_face", "align.detection_threshold", "align.max_pixels")
_JUDGING = ("judges.kind", "judges.gate", "judges.audit")
_JUDGES = ("recogniser", "heldout")

_MAKING: tuple[Stage, ...] = (
    Stage(
        name="align",
        version=4,
        reads=(PHOTOS,),
        writes=(PHOTO_FILES, PASSED_OVER, FACES),
        params=(*_FINDING, "align.smallest_replaced", "align.most_turned", "align.most_covered"),
    ),
    Stage(
        name="invert",
        version=4,
        reads=(PHOTOS, PHOTO_FILES, FACES),
        writes=(INVERSIONS,),
        params=("judges.gate", "judges.audit", "align.max_pixels"),
        networks=("generator", "encoder", "farl", "clip", "dino", *_JUDGES),
    ),
    Stage(
        name="sample",
        version=2,
        reads=(),
        writes=(FAKES,),
        params=("sample.count", "sample.truncation", "sample.seed"),
        networks=("generator", "recogniser", "farl", "clip", "dino"),
    ),
    Stage(
        name="pair",
        version=3,
        reads=(INVERSIONS, FAKES),
        writes=(PAIRS,),
        params=("pair.space", "pair.metric", "anonymize.attempts"),
    ),
    Stage(
        name="anonymize",
        version=5,
        reads=(FACES, INVERSIONS, FAKES, PAIRS),
        writes=(ANONYMIZED,),
        params=(
            "anonymize.objective",
            "anonymize.margin",
            "anonymize.margin_tolerance",
            "anonymize.attempts",
            "anonymize.steps",
            "anonymize.learning_rate",
            "anonymize.lambda_id",
            "anonymize.lambda_attr",
            "solver.reproduce_released_code",
            "solver.precision",
            "anonymize.space",
            # A face that came out implausible is tried again here, where other fakes are at hand.
            "compose.min_quality",
            *_JUDGING,
        ),
        networks=("generator", "farl", "start", *_JUDGES),
    ),
    Stage(
        name="compose",
        version=8,
        reads=(PHOTOS, PHOTO_FILES, FACES, INVERSIONS, ANONYMIZED),
        writes=(COMPOSED,),
        params=(*_FINDING, "compose.otherwise", "compose.suspicion", "release.mark", *_JUDGING),
        networks=("farl", *_JUDGES),
    ),
    Stage(
        name="validate",
        version=7,
        reads=(PHOTOS, PHOTO_FILES, FACES, INVERSIONS, ANONYMIZED, COMPOSED),
        writes=(WITHHELD, OUTCOMES, SHEETS, REPORT),
        params=("validate.sheet_photos", "validate.sheet_pages", "validate.outline", *_JUDGING),
        networks=_JUDGES,
        metrics=(METRICS,),
        plots=(SIMILARITY_PLOT, UTILITY_PLOT),
    ),
)

RESULT_PARAMS = tuple(sorted({key for stage in _MAKING for key in stage.params}))
"""Every parameter that the photos or the metrics depend on."""

PUBLIC = (RELEASE,)
"""The only outputs that may leave the house: DVC pushes no others."""

_GATE = (
    "gate.max_reidentification_rate",
    "gate.allow_unknown",
    "gate.min_detection_rate",
    "gate.max_withheld_rate",
)

STAGES: tuple[Stage, ...] = (
    *_MAKING,
    # A stage of its own: DVC empties a stage's outputs before it runs, and a closed gate must leave the last release.
    Stage(name="gate", version=1, reads=(METRICS,), writes=(GATE,), params=_GATE),
    Stage(
        name="release",
        version=5,
        reads=(COMPOSED, METRICS, OUTCOMES, GATE),
        writes=(RELEASE, RELEASED),
        params=(
            *_GATE,
            "release.names",
            # The manifest says with which parameters and networks the release was made.
            *RESULT_PARAMS,
        ),
        networks=("generator", "encoder", "recogniser", "heldout", "farl", "clip", "dino", "start"),
    ),
)


def stage_named(name: str) -> Stage:
    """The row called `name`; raises KeyError."""
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise KeyError(name)
