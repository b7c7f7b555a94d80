import pytest

from falco_core.reasons import Cause
from falco_core.report import risk
from tests.artifacts import check


def test_photos_in_which_the_plan_did_not_hold_come_before_those_in_which_it_did() -> None:
    risks = [
        risk([check()]),
        risk([check(likeness=0.6)]),
        risk([check(likeness=0.6), check(score=0.3)]),
        risk([check(), check(quality=0.0)]),
        risk([check(cause=Cause.TOO_SMALL)]),
        risk([check(cause=Cause.STILL_RECOGNISABLE)]),
        risk([check(), check(cause=Cause.MISSED_AT_FIRST)]),
    ]
    assert risks == sorted(risks)
    assert len(set(risks)) == len(risks)
    assert risks[-1] == 1.0


@pytest.mark.parametrize("likeness", [-1.0, 0.5, 2.0])
def test_risk_is_a_share(likeness: float) -> None:
    assert 0.0 <= risk([check(likeness=likeness)]) <= 1.0
    assert risk([]) == 0.0
