import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.anonymize.neighbours import FakePool, Metric
from falco_core.errors import ProjectError


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_nearest_fake_is_the_one_brute_force_finds(metric: Metric, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fakes, faces = rng.normal(size=(30, 8)), rng.normal(size=(7, 8))
    rows, distances = FakePool(fakes, metric).nearest(faces, 4)
    if metric == "cosine":
        unit = [a / np.linalg.norm(a, axis=1, keepdims=True) for a in (faces, fakes)]
        table = 1 - unit[0] @ unit[1].T
    else:
        table = np.linalg.norm(faces[:, None] - fakes[None], axis=2)
    np.testing.assert_array_equal(rows, table.argsort(axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(table, axis=1)[:, :4], atol=1e-4)


def test_a_small_pool_gives_what_it_has() -> None:
    rows, distances = FakePool(np.eye(2), "cosine").nearest(np.array([[0.0, 2.0]]), 5)
    assert rows.tolist() == [[1, 0]]
    np.testing.assert_allclose(distances, [[0.0, 1.0]], atol=1e-6)


def test_an_empty_pool_says_what_to_change() -> None:
    with pytest.raises(ProjectError, match="sample.count"):
        FakePool(np.zeros((0, 4)), "cosine")
