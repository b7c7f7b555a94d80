"""Which photos need a human look first: those in which the system was least sure of itself."""

from collections.abc import Sequence

from falco_core.judges.likeness import LIKENESS_LIMIT
from falco_core.reasons import Cause
from falco_core.tables import Row

LATE = {Cause.MISSED_AT_FIRST: 1.0, Cause.UNCHANGED: 0.95, Cause.STILL_RECOGNISABLE: 0.9}
"""Concealed because the first plan did not hold."""
CONCEALED = 0.7
"""Concealed from the start: a look tells whether enough is hidden."""
UNSURE_BELOW = 0.5
"""The finder's score below which a face may be a face or not."""
UNSURE = 0.6


def risk(checks: Sequence[Row]) -> float:
    """0 (nothing to see) to 1 (look here first) of a photo with these rows of checks.parquet."""
    return max((_of_face(check) for check in checks), default=0.0)


def _of_face(check: Row) -> float:
    if check["cause"] is not None:
        return LATE.get(Cause(check["cause"]), CONCEALED)
    near = 0.6 * min(max(float(check["likeness"]) / LIKENESS_LIMIT, 0.0), 1.0)
    return max(near, UNSURE if check["score"] < UNSURE_BELOW else 0.0)
