import numpy as np
import pytest

from falco_core.faces.find import FoundFace
from falco_core.faces.place import LANDMARKS_IN_BOX, Place, sound_landmarks
from falco_core.faces.treatment import Limits, why_concealed
from falco_core.reasons import Cause

LIMITS = Limits(smallest=40, most_turned=0.8, most_covered=0.25)
SHAPE = (600, 800, 3)


def face(
    left: float = 300,
    top: float = 200,
    width: float = 100,
    height: float = 130,
    *,
    nose: float = 0.5,
    mtcnn: float = 0.99,
) -> FoundFace:
    landmarks = np.array([left, top]) + LANDMARKS_IN_BOX * [width, height]
    landmarks[2, 0] = left + nose * width
    box = np.array([left, top, left + width, top + height])
    return FoundFace(box, landmarks, 0.9, mtcnn, ("whole",))


@pytest.mark.parametrize(
    ("found", "covered", "cause"),
    [
        (face(), 0.0, None),
        (face(width=39), 0.0, Cause.TOO_SMALL),
        (face(left=0), 0.0, Cause.CUT),
        (face(top=480, height=120), 0.0, Cause.CUT),
        (face(nose=0.69), 0.0, Cause.TURNED_AWAY),
        (face(mtcnn=0.0), 0.0, Cause.DOUBTFUL),
        (face(mtcnn=0.7), 0.0, Cause.DOUBTFUL),
        (face(), 0.3, Cause.COVERED),
        (face(), float("nan"), Cause.COVERED),
    ],
)
def test_a_face_that_the_generator_cannot_hold_on_to_is_concealed(
    found: FoundFace, covered: float, cause: Cause | None
) -> None:
    assert why_concealed(found, SHAPE, covered, LIMITS) == cause


def test_landmarks_that_are_no_numbers_are_doubtful() -> None:
    broken = FoundFace(face().box, np.full((5, 2), np.nan), 0.9, 0.99, ())
    assert why_concealed(broken, SHAPE, 0.0, LIMITS) is Cause.DOUBTFUL


@pytest.mark.parametrize("landmarks", [np.full((5, 2), np.nan), np.full((5, 2), 350.0)])
def test_a_face_without_landmarks_gets_those_of_its_box(landmarks: np.ndarray) -> None:
    broken = FoundFace(face().box, landmarks, 0.9, 0.0, ())
    np.testing.assert_allclose(sound_landmarks(broken), sound_landmarks(face()))


def test_a_place_has_a_new_face_or_a_cause() -> None:
    where = {"face": "x", "box": np.zeros(4), "quad": np.zeros((4, 2)), "landmarks": np.zeros((5, 2)), "references": ()}
    crop, mask = np.zeros((8, 8, 3), dtype=np.uint8), np.ones((8, 8))
    Place(**where, crop=crop, mask=mask)
    Place(**where, cause=Cause.CUT)
    for wrong in ({}, {"crop": crop, "cause": Cause.CUT}, {"crop": crop}, {"cause": Cause.CUT, "mask": mask}):
        with pytest.raises(ValueError, match="face x"):
            Place(**where, **wrong)  # type: ignore[arg-type]
