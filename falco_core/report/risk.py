"""Which photos need a human look first: those in which the system was least sure of itself."""

from collections.abc import Sequence

from falco_core.judges.likeness import LIKENESS_LIMIT
from falco_core.reasons import Cause
from falco_core.store.rows import Check

LATE = {Cause.MISSED_AT_FIRST: 1.0, Cause.UNCHANGED: 0.95, Cause.STILL_RECOGNISABLE: 0.9}
"""Concealed because the first plan did not hold."""
CONCEALED = 0.7
"""Concealed from the start: a look tells whether enough is hidden."""
UNSURE_BELOW = 0.5
"""The finder's score below which a face may be a face or not."""
UNSURE = 0.6
IMPLAUSIBLE = 0.65
"""Of a new face of no plausibility at all (falco_core.judges.plausible); nothing of one without a fault."""


def risk(checks: Sequence[Check]) -> float:
    """0 (nothing to see) to 1 (look here first) of a photo with these faces."""
    return max((_of_face(check) for check in checks), default=0.0)


def _of_face(check: Check) -> float:
    if check.cause is not None:
        return LATE.get(check.cause, CONCEALED)
    near = 0.6 * min(max(check.likeness / LIKENESS_LIMIT, 0.0), 1.0)
    broken = IMPLAUSIBLE * (1.0 - (check.quality or 0.0))
    return max(near, broken, UNSURE if check.score < UNSURE_BELOW else 0.0)
