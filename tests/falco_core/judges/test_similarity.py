import numpy as np
import pytest

from falco_core.judges.similarity import Measure, similarity, similarity_matrix

LEFT = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
RIGHT = np.array([[2.0, 0.0], [0.0, -1.0], [4.0, 3.0]])


def test_a_cosine_knows_no_length() -> None:
    assert similarity("cosine", LEFT, RIGHT) == pytest.approx([1.0, -1.0, 24 / 25])


def test_a_distance_counts_down_from_one() -> None:
    assert similarity("distance", LEFT, RIGHT) == pytest.approx([0.0, -2.0, 1 - 2**0.5])


@pytest.mark.parametrize("measure", ["cosine", "distance"])
def test_the_matrix_holds_the_rows_on_its_diagonal(measure: Measure) -> None:
    matrix = similarity_matrix(measure, LEFT, RIGHT)
    assert matrix.shape == (3, 3)
    assert matrix.diagonal() == pytest.approx(similarity(measure, LEFT, RIGHT))
    assert similarity_matrix(measure, LEFT[:0], RIGHT).shape == (0, 3)


def test_rows_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        similarity("cosine", LEFT, RIGHT[:2])
