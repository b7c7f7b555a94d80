import pytest
from hypothesis import given
from hypothesis import strategies as st

from falco_core.judges.gate import reservations, violations
from falco_core.judges.metrics import Faces, IdentityRecord, Judged, Metrics, Photos, Rate, faces_of, utility_of
from falco_core.params import GateParams
from falco_core.reasons import Cause


def record(role: str, scope: str, hits: int, n: int = 100) -> IdentityRecord:
    return IdentityRecord.model_validate(
        {"metric": "reid_x_0.6", "judge": "x", "role": role, "scope": scope, "rate": Rate.of(hits, n)}
    )


def metrics(
    *records: IdentityRecord, released: int = 1, withheld: int = 0, detected: bool = True, notices: tuple[str, ...] = ()
) -> Metrics:
    return Metrics(
        photos=Photos(total=released + withheld, released=released, withheld=withheld),
        faces=Faces(replaced=1, concealed=0, causes={}),
        judges=Judged(people="real", gate=("x",), audit=(), notices=notices),
        identity=records,
        first_attempts_recognised=Rate.of(0, 1),
        utility=utility_of([{"farl_cosine": 0.9, "detected": detected, "quality": 0.8}]),
    )


def strangers(n: int, *, hits: int = 0) -> Metrics:
    return metrics(record("gate", "released", hits, n), released=n)


def test_a_planted_leak_closes_the_gate() -> None:
    # 3 of 60 is 5 %, and up to 13.7 % is possible.
    assert violations(strangers(60, hits=3), GateParams(max_reidentification_rate=0.13))
    assert not violations(strangers(60, hits=3), GateParams(max_reidentification_rate=0.14))


def test_each_limit_names_its_key() -> None:
    broken = metrics(record("gate", "released", 90), withheld=3, detected=False)
    limits = GateParams(max_reidentification_rate=0.5, min_detection_rate=0.5, max_withheld_rate=0.5)
    text = "\n".join([*violations(broken, limits), *violations(strangers(0), limits)])
    for key in GateParams.model_fields:
        assert f"gate.{key}" in text


@pytest.mark.parametrize("unknown", [strangers(0), metrics(), metrics(record("gate", "released", 0), released=0)])
def test_what_nobody_judged_and_what_releases_nothing_closes_the_gate_unless_allowed(unknown: Metrics) -> None:
    (line,) = violations(unknown, GateParams())
    assert "unknown" in line
    assert violations(unknown, GateParams(allow_unknown=True)) == []


@pytest.mark.parametrize(("n", "proven"), [(1, False), (18, False), (72, False), (73, True)])
def test_few_faces_pass_only_without_a_hit_and_prove_nothing(n: int, proven: bool) -> None:
    limits = GateParams(max_reidentification_rate=0.05)
    assert violations(strangers(n), limits) == []
    assert violations(strangers(n, hits=1), limits)
    assert (reservations(strangers(n), limits) == []) == proven


@pytest.mark.parametrize(("hits", "opens"), [(1, True), (3, True), (4, False), (5, False)])
def test_many_faces_are_held_against_the_upper_bound(hits: int, opens: bool) -> None:
    """4 of 200 is 2 %, but 5.03 % is possible."""
    assert (violations(strangers(200, hits=hits), GateParams()) == []) == opens


def test_faces_are_counted_by_what_they_got_and_why() -> None:
    causes = [None, Cause.CUT, Cause.TOO_SMALL, Cause.CUT]
    counted = faces_of([{"cause": cause} for cause in causes])
    assert (counted.replaced, counted.concealed) == (1, 3)
    assert counted.causes == {Cause.CUT: 2, Cause.TOO_SMALL: 1}


@pytest.mark.parametrize(
    ("records", "closed"),
    [
        ((record("gate", "composed", 50), record("gate", "released", 0)), False),
        ((record("gate", "released", 0), record("audit", "released", 50)), True),
        ((record("objective", "released", 50), record("gate", "released", 0)), False),
        ((record("gate", "released", 0), record("audit", "released", 0, n=0)), True),
    ],
)
def test_the_gate_hears_every_judge_of_released_faces(records: tuple[IdentityRecord, ...], closed: bool) -> None:
    assert bool(violations(metrics(*records), GateParams())) == closed


def test_what_is_to_be_said_of_the_judges_is_said() -> None:
    alone = metrics(record("gate", "released", 0), notices=("no auditor: nobody is left",))
    assert reservations(alone, GateParams()) == ["no auditor: nobody is left"]


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (1, 200, 0.0009, 0.0278), (0, 0, 0.0, 1.0)],
)
def test_the_interval_is_wilsons(hits: int, n: int, low: float, high: float) -> None:
    rate = Rate.of(hits, n)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5), (1, 0)])
def test_more_hits_than_faces_are_no_rate(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        Rate.of(hits, n)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate(counts: tuple[int, int]) -> None:
    rate = Rate.of(*counts)
    assert rate.value is not None
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
