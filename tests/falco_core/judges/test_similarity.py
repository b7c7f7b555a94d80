import numpy as np
import pytest

from falco_core.judges.similarity import Measure, nearest, similarity, similarity_matrix

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


@pytest.mark.parametrize("measure", ["cosine", "distance"])
def test_the_nearest_is_the_largest_of_the_matrix(measure: Measure) -> None:
    rng = np.random.default_rng(0)
    faces, gallery = rng.normal(size=(40, 16)), rng.normal(size=(300, 16))
    rows, similarities = nearest(measure, faces, gallery)
    matrix = similarity_matrix(measure, faces, gallery)
    assert (rows == matrix.argmax(axis=1)).all()
    assert similarities == pytest.approx(matrix.max(axis=1), abs=1e-6)


def test_what_is_no_number_has_no_nearest() -> None:
    rows, similarities = nearest("cosine", np.array([[np.nan, 0.0], [1.0, 0.1], [0.0, 0.0]]), LEFT)
    assert rows.tolist() == [-1, 0, -1]
    assert np.isnan(similarities[[0, 2]]).all()


@pytest.mark.parametrize("gallery", [np.zeros((0, 2)), np.array([[1.0, np.nan]]), np.zeros((1, 2))])
def test_a_gallery_that_would_hide_someone_is_refused(gallery: np.ndarray) -> None:
    with pytest.raises(ValueError, match="originals to search"):
        nearest("cosine", LEFT, gallery)


def test_rows_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        similarity("cosine", LEFT, RIGHT[:2])
