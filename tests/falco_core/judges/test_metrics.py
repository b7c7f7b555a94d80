import pytest
from hypothesis import given
from hypothesis import strategies as st

from falco_core.judges import Rate, dataset_metrics, violations
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
    assert violations(metrics, GateParams(max_reidentification_rate=0.04))
    assert not violations(metrics, GateParams(max_reidentification_rate=0.05))


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
    text = "\n".join(violations(metrics, limits))
    for key in GateParams.model_fields:
        assert f"gate.{key}" in text


def test_nothing_released_is_no_violation_by_itself() -> None:
    metrics = dataset_metrics(total=0, released=set(), checks=[], threshold=0.4)
    assert violations(metrics, GateParams()) == []
    assert metrics.privacy.reidentification_rate.high == 1.0


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate(counts: tuple[int, int]) -> None:
    rate = Rate.of(*counts)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
