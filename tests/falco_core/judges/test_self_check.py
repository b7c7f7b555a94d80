import numpy as np
import pytest

from falco_core.errors import JudgeError
from falco_core.judges.recognisers import Judge
from falco_core.judges.self_check import check_embeddings, check_judge
from tests.falco_core.judges.helpers import PatchJudge, two_faces

PIXELS, LANDMARKS = two_faces()


def references() -> np.ndarray:
    return PatchJudge().embed(PIXELS, LANDMARKS)


class Faulty(PatchJudge):
    """Gives the same answer to everything."""

    def __init__(self, answer: np.ndarray) -> None:
        self._answer = answer

    def embed(self, pixels: np.ndarray, landmarks: object) -> np.ndarray:
        return self._answer


def refused(judge: Judge, known: np.ndarray) -> str:
    with pytest.raises(JudgeError) as error:
        check_judge(judge, PIXELS, LANDMARKS, known)
    message = str(error.value)
    assert message.startswith("judge patch: ") and "\n" not in message
    return message


def test_a_good_judge_passes() -> None:
    check_judge(PatchJudge(), PIXELS, LANDMARKS, references())


def test_one_face_is_enough_to_try_a_judge_on() -> None:
    check_judge(PatchJudge(), PIXELS, LANDMARKS[:1], references()[:1])


def test_zero_weights_are_no_stranger() -> None:
    zeros = np.zeros((2, 64), dtype=np.float32)
    assert "length 0.000" in refused(Faulty(zeros), references())
    assert "length 0.000" in refused(Faulty(zeros), zeros)


def test_a_constant_answer_is_found_even_where_its_references_agree() -> None:
    constant = np.tile(references()[:1], (2, 1))
    assert "come out equal" in refused(Faulty(constant), constant)


@pytest.mark.parametrize("row", [0, 1])
def test_an_answer_that_is_no_number_is_found(row: int) -> None:
    broken = references()
    broken[row, 3] = np.nan
    assert "not finite" in refused(Faulty(broken), references())
    assert "stored original is not finite" in refused(PatchJudge(), broken)


def test_negated_references_are_not_believed() -> None:
    assert "only -1.00 like" in refused(PatchJudge(), -references())


def test_swapped_references_are_not_believed() -> None:
    assert "damaged, or another network's" in refused(PatchJudge(), references()[::-1])


def test_references_of_another_length_are_not_believed() -> None:
    assert "length 2.000" in refused(PatchJudge(), 2 * references())


def test_a_check_on_nothing_is_no_check() -> None:
    with pytest.raises(JudgeError, match="0 faces"):
        check_judge(PatchJudge(), PIXELS, [], references()[:0])
    with pytest.raises(JudgeError, match="2 faces and 1 references"):
        check_judge(PatchJudge(), PIXELS, LANDMARKS, references()[:1])


def test_every_embedding_can_be_checked_as_it_comes() -> None:
    check_embeddings(PatchJudge(), references(), "a new face")
    with pytest.raises(JudgeError, match="a new face"):
        check_embeddings(PatchJudge(), np.full((1, 4), np.inf), "a new face")
