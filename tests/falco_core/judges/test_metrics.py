import pytest
from hypothesis import given
from hypothesis import strategies as st

from falco_core.judges.gate import reservations, violations
from falco_core.judges.metrics import IdentityRecord, Metrics, Rate, dataset_metrics
from falco_core.params import GateParams


def check(photo: str, heldout: float, *, detected: bool = True) -> dict[str, object]:
    return {
        "photo": photo,
        "detected": detected,
        "recogniser_cosine": 0.0,
        "heldout_cosine": heldout,
        "farl_cosine": 0.9,
    }


def test_a_planted_leak_is_counted_and_closes_the_gate() -> None:
    checks = [check(f"{i}.png", 0.05) for i in range(57)] + [check(f"leak{i}.png", 1.0) for i in range(3)]
    photos = {str(row["photo"]) for row in checks}
    metrics = dataset_metrics(total=60, released=photos, checks=checks, threshold=0.4)
    assert metrics.privacy.reidentification_rate.value == pytest.approx(3 / 60)
    # 3 of 60 is 5 %, and up to 13.7 % is possible.
    assert violations(metrics, GateParams(max_reidentification_rate=0.13))
    assert not violations(metrics, GateParams(max_reidentification_rate=0.14))


def test_a_similarity_that_is_not_a_number_counts_as_reidentified() -> None:
    metrics = dataset_metrics(total=1, released={"a"}, checks=[check("a", float("nan"))], threshold=0.4)
    assert metrics.privacy.reidentification_rate.value == 1.0


def test_withheld_photos_count_before_but_not_after() -> None:
    checks = [check("good", 0.1), check("bad", 0.9)]
    metrics = dataset_metrics(total=3, released={"good"}, checks=checks, threshold=0.4)
    assert metrics.photos.withheld == 2
    assert metrics.privacy.reidentification_rate.value == 0.0
    assert metrics.privacy.reidentification_rate_composed.value == 0.5


def test_each_limit_names_its_key() -> None:
    metrics = dataset_metrics(total=4, released={"a"}, checks=[check("a", 0.9, detected=False)], threshold=0.4)
    limits = GateParams(max_reidentification_rate=0.5, min_detection_rate=0.5, max_withheld_rate=0.5)
    text = "\n".join([*violations(metrics, limits), *violations(unknown(), limits)])
    for key in GateParams.model_fields:
        assert f"gate.{key}" in text


def unknown() -> Metrics:
    """A photo to be released, and no face of it judged."""
    return dataset_metrics(total=1, released={"a"}, checks=[], threshold=0.4)


def test_nothing_released_is_no_violation_by_itself() -> None:
    metrics = dataset_metrics(total=4, released=set(), checks=[check("a", 0.9)], threshold=0.4)
    assert metrics.privacy.reidentification_rate.value is None
    assert violations(metrics, GateParams()) == []


def test_an_unknown_rate_closes_the_gate_unless_allowed() -> None:
    assert unknown().privacy.reidentification_rate.value is None
    (line,) = violations(unknown(), GateParams())
    assert "unknown" in line
    assert violations(unknown(), GateParams(allow_unknown=True)) == []


def strangers(n: int, *, hits: int = 0) -> Metrics:
    checks = [check(f"{i}.png", 1.0 if i < hits else 0.0) for i in range(n)]
    return dataset_metrics(total=n, released={str(row["photo"]) for row in checks}, checks=checks, threshold=0.4)


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


def record(role: str, scope: str, hits: int, n: int = 100) -> IdentityRecord:
    return IdentityRecord.model_validate(
        {"metric": "reid_x_0.6", "judge": "x", "role": role, "scope": scope, "rate": Rate.of(hits, n)}
    )


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
    metrics = strangers(100).model_copy(update={"identity": records})
    assert bool(violations(metrics, GateParams())) == closed


def test_a_missing_auditor_is_said() -> None:
    alone = strangers(100).model_copy(update={"identity": (record("gate", "released", 0),)})
    both = strangers(100).model_copy(
        update={"identity": (record("gate", "released", 0), record("audit", "released", 0))}
    )
    assert any("no auditor" in line for line in reservations(alone, GateParams()))
    assert reservations(both, GateParams()) == []


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
