import numpy as np

from falco_core.faces.mask import ALIGNED_LANDMARKS, face_oval
from falco_core.faces.outline import smoothed

SIZE = 128
POINTS = ALIGNED_LANDMARKS * SIZE
OVAL, MOUTH = face_oval(POINTS), POINTS[3:].mean(axis=0)
Y, X = np.mgrid[0:SIZE, 0:SIZE] + 0.5
FACE = OVAL.distance(np.stack([X, Y], axis=-1)) < 0.9


def alike(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def test_a_smooth_outline_stays() -> None:
    assert alike(smoothed(FACE, OVAL, MOUTH), FACE) > 0.97


def test_a_narrow_dent_is_filled_and_a_narrow_tooth_is_cut_off() -> None:
    dented, toothed = FACE.copy(), FACE.copy()
    edge = int(np.flatnonzero(FACE[68]).min())
    dented[66:70, : edge + 12] = False
    toothed[66:70, edge - 12 : 64] = True
    for found in (dented, toothed):
        smooth = smoothed(found, OVAL, MOUTH)
        assert smooth[60:76, edge + 2 : 64].all()
        assert not smooth[60:76, : edge - 2].any()


def test_a_hand_over_the_cheek_stays_left_out() -> None:
    hidden = FACE & ~((X > 80) & (Y > 70))
    assert not smoothed(hidden, OVAL, MOUTH)[80:100, 92:].any()


def test_below_the_mouth_the_outline_only_gets_narrower() -> None:
    neck = FACE.copy()
    neck[104:118, :44] = False
    neck[104:118, 84:] = False
    neck[112:124, 30:98] = True
    found = smoothed(neck, OVAL, MOUTH)
    widths = found[round(MOUTH[1]) + 4 :].sum(axis=1)
    assert found[106:114, 50:78].all()
    assert (np.diff(widths) <= 1).all()
    assert widths[-14:].max() < 54
