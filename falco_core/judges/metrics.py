"""The metrics of an anonymized dataset, each with its n and, for rates, its 95 % Wilson interval."""

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


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


class Privacy(_Record):
    """How near the new faces are to their originals.

    A face counts as re-identified if the held-out recogniser's cosine between it, as composed, and its original
    reaches `threshold`.
    """

    threshold: float
    reidentification_rate: Rate
    """Of the faces in photos to be released."""
    reidentification_rate_composed: Rate
    """Of all composed faces, those of photos withheld for it included."""
    recogniser_similarity: Mean
    heldout_similarity: Mean


class IdentityRecord(_Record):
    """How often one judge takes new faces for their originals, by one protocol, in one set of faces."""

    metric: str
    """`reid_` (1:1, at the judge's threshold) or `rank1_` (1:N, nearest of all originals) and the protocol."""
    judge: str
    role: Literal["objective", "gate", "audit"]
    scope: Literal["composed", "released"]
    """`composed`: all new faces, before any judge withheld one; `released`: those in photos to be released."""
    rate: Rate


class Utility(_Record):
    """What stays of the faces."""

    attribute_similarity: Mean
    """FaRL cosine between composed face and original."""
    detection_rate: Rate
    """Share of composed faces that the detector finds."""


class Metrics(_Record):
    """reports/metrics.json."""

    photos: Photos
    privacy: Privacy
    utility: Utility
    identity: tuple[IdentityRecord, ...] = ()
    """Every judge's count (falco_core.judges.identity)."""


def dataset_metrics(
    *, total: int, released: Collection[str], checks: Sequence[Mapping[str, Any]], threshold: float
) -> Metrics:
    """Metrics from the rows of checks.parquet; `released` are the photos that may be released."""
    kept = [check for check in checks if check["photo"] in released]
    return Metrics(
        photos=Photos(total=total, released=len(released), withheld=total - len(released)),
        privacy=Privacy(
            threshold=threshold,
            reidentification_rate=_reidentified(kept, threshold),
            reidentification_rate_composed=_reidentified(checks, threshold),
            recogniser_similarity=Mean.of([check["recogniser_cosine"] for check in kept]),
            heldout_similarity=Mean.of([check["heldout_cosine"] for check in kept]),
        ),
        utility=Utility(
            attribute_similarity=Mean.of([check["farl_cosine"] for check in kept]),
            detection_rate=Rate.of(sum(check["detected"] for check in kept), len(kept)),
        ),
    )


def _reidentified(checks: Sequence[Mapping[str, Any]], threshold: float) -> Rate:
    return Rate.of(sum(not check["heldout_cosine"] < threshold for check in checks), len(checks))
