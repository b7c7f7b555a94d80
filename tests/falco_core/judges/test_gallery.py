from dataclasses import dataclass

import numpy as np
import pytest

from falco_core.errors import JudgeError
from falco_core.judges.gallery import Gallery
from falco_core.judges.similarity import Measure, similarity_matrix
from tests.falco_core.judges.helpers import PatchJudge


@dataclass
class Measuring(PatchJudge):
    measure: Measure = "cosine"


@pytest.mark.parametrize("measure", ["cosine", "distance"])
def test_the_nearest_is_the_largest_of_the_matrix_in_however_many_parts_it_came(measure: Measure) -> None:
    rng = np.random.default_rng(0)
    faces, originals = rng.normal(size=(40, 16)), rng.normal(size=(300, 16))
    judge = Measuring(measure=measure)
    matrix = similarity_matrix(measure, faces, originals)
    for parts in ([originals], [originals[:7], originals[:0], originals[7:]]):
        rows, similarities = Gallery(judge, *parts).nearest(faces)
        assert (rows == matrix.argmax(axis=1)).all()
        assert similarities == pytest.approx(matrix.max(axis=1), abs=1e-6)


def test_what_is_no_number_has_no_nearest() -> None:
    rows, similarities = Gallery(PatchJudge(), np.eye(2)).nearest(np.array([[np.nan, 0.0], [1.0, 0.1], [0.0, 0.0]]))
    assert rows.tolist() == [-1, 0, -1]
    assert np.isnan(similarities[[0, 2]]).all()


@pytest.mark.parametrize("originals", [np.array([[1.0, np.nan]]), np.zeros((1, 2))])
def test_originals_that_would_hide_someone_are_refused(originals: np.ndarray) -> None:
    with pytest.raises(JudgeError, match="judge patch: the originals"):
        Gallery(PatchJudge(), np.eye(2), originals)


def test_a_search_among_nobody_is_refused() -> None:
    with pytest.raises(JudgeError, match="no originals"):
        Gallery(PatchJudge(), np.zeros((0, 2))).nearest(np.eye(2))
