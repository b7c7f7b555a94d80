import numpy as np
import pytest

from falco_core.judges.kind import CENTRE, REAL_FROM, RENDERED_UP_TO, kind_of_people, kinds_of_faces


def faces(*distances: float) -> np.ndarray:
    """dlib embeddings at these distances from the middle of rendered faces."""
    side = np.zeros((len(distances), 128))
    side[:, 7] = distances
    return CENTRE + side


RENDERED, REAL, BETWEEN = 0.35, 0.68, (RENDERED_UP_TO + REAL_FROM) / 2


def test_each_face_has_its_kind() -> None:
    broken = faces(RENDERED, REAL, BETWEEN, RENDERED)
    broken[3, 0] = np.nan
    assert kinds_of_faces(broken) == ["rendered", "real", "unsure", "unsure"]


@pytest.mark.parametrize(
    ("distances", "kind"),
    [
        ([RENDERED] * 9 + [BETWEEN], "rendered"),
        ([REAL] * 9 + [BETWEEN], "real"),
        ([REAL], "real"),
        ([RENDERED] * 9 + [REAL], "unsure"),
        ([RENDERED] * 99 + [REAL], "rendered"),
        ([REAL] * 9 + [RENDERED], "unsure"),
        ([BETWEEN] * 3, "unsure"),
        ([], "unsure"),
    ],
)
def test_one_kind_must_be_clear_and_the_other_all_but_absent(distances: list[float], kind: str) -> None:
    assert kind_of_people(faces(*distances)) == kind
