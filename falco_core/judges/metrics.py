"""The metrics of an anonymized dataset, each with its n and, for rates, its 95 % Wilson interval."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict

from falco_core.reasons import Treatment
from falco_core.store.rows import Check


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Z = 1.959964
"""Standard normal quantile of 97.5 %."""


class Rate(_Record):
    """A share with its 95 % Wilson score interval (Wilson, 1927); `value` is null where nothing was counted."""

    value: float | None
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, successes: int, n: int) -> "Rate":
        """`successes` out of `n`; of n = 0 nothing is known: value None in [0, 1]. Raises ValueError beyond 0..n."""
        if not 0 <= successes <= n:
            raise ValueError(f"{successes} of {n} is no share")
        if n == 0:
            return cls(value=None, low=0.0, high=1.0, n=0)
        share = successes / n
        centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
        # At both ends the bound is the share itself; rounding must not move it.
        low = 0.0 if successes == 0 else centre - half
        high = 1.0 if successes == n else centre + half
        return cls(value=share, low=low, high=high, n=n)


class Mean(_Record):
    """A mean over n faces; null if there are none."""

    value: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """The mean of `values`."""
        return cls(value=fmean(values) if values else None, n=len(values))


class Photos(_Record):
    """How many photos came in, and what became of them."""

    total: int
    released: int
    withheld: int


class Faces(_Record):
    """What the faces of the photos to be released got."""

    replaced: int
    concealed: int
    causes: dict[str, int]
    """Concealed faces by cause (falco_core.reasons.Cause)."""


class IdentityRecord(_Record):
    """How often one judge takes new faces for their originals, by one protocol, in one set of faces."""

    metric: str
    """`reid_` (1:1, at the judge's threshold) or `rank1_` (1:N, nearest of all originals) and the protocol."""
    judge: str
    role: Literal["objective", "gate", "audit"]
    scope: Literal["composed", "released"]
    """`composed`: all new faces as they were first put into their photos, before any judge withheld or concealed one;
    `released`: all faces of the photos to be released, new and concealed ones, but not those of one colour."""
    rate: Rate


class Utility(_Record):
    """What stays of the faces."""

    attribute_similarity: Mean
    """FaRL cosine between composed face and original."""
    detection_rate: Rate
    """Share of composed faces that the detector finds."""
    plausibility: Mean
    """How little the new faces look broken (falco_core.judges.plausible), 0..1."""


class Judged(_Record):
    """Who judged, and what is to be said about that."""

    people: str
    """Whom the photos show: real, rendered, unsure."""
    gate: tuple[str, ...]
    audit: tuple[str, ...]
    notices: tuple[str, ...]


class Metrics(_Record):
    """reports/metrics.json."""

    photos: Photos
    faces: Faces
    judges: Judged
    identity: tuple[IdentityRecord, ...]
    """Every judge's count (falco_core.judges.identity)."""
    first_attempts_recognised: Rate
    """Share of faces whose first new face a gate judge recognised, before another fake was tried."""
    utility: Utility


def faces_of(checks: Iterable[Check]) -> Faces:
    """Treatments counted over the faces of the photos to be released."""
    causes = Counter(None if check.cause is None else str(check.cause) for check in checks)
    replaced = causes.pop(None, 0)
    named = {str(cause): count for cause, count in causes.items()}
    return Faces(replaced=replaced, concealed=causes.total(), causes=dict(sorted(named.items())))


def utility_of(checks: Iterable[Check]) -> Utility:
    """What stays of the faces: over the new ones of the photos to be released."""
    similarities, detected, qualities = array("d"), 0, array("d")
    for check in checks:
        if check.treatment == Treatment.REPLACED:
            similarities.append(check.farl_cosine)
            detected += check.detected
            if check.quality is not None:
                qualities.append(check.quality)
    return Utility(
        attribute_similarity=Mean.of(similarities),
        detection_rate=Rate.of(detected, len(similarities)),
        plausibility=Mean.of(qualities),
    )
