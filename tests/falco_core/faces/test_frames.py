import cv2
import numpy as np
import pytest

from falco_core.faces.frames import SIZE, frame_of, painted_over, wears_frame
from falco_core.faces.mask import face_mask
from tests.falco_core.faces.portraits import aligned, head


@pytest.mark.parametrize("size", [96, 128, 256, 512])
@pytest.mark.parametrize("light", [0.3, 1.0])
def test_a_frame_is_seen_and_bare_eyes_are_not_taken_for_one(size: int, light: float) -> None:
    for beard in (False, True):
        bare, framed = (head(size, beard=beard, glasses=worn) * light for worn in (False, True))
        assert not wears_frame(bare.astype(np.uint8), aligned(size))
        assert wears_frame(framed.astype(np.uint8), aligned(size))


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_crop_of_one_colour_wears_nothing(colour: int) -> None:
    crop = np.full((SIZE, SIZE, 3), colour, dtype=np.uint8)
    assert not wears_frame(crop, aligned(SIZE))
    assert not frame_of(crop, aligned(SIZE), np.zeros((SIZE, SIZE), dtype=np.float32)).any()


def test_the_frame_is_followed_to_the_ears_and_hair_is_not() -> None:
    bare, framed = head(SIZE, grain=0), head(SIZE, glasses=True, grain=0)
    mask, _ = face_mask(framed, aligned(SIZE))
    worn = np.abs(framed.astype(int) - bare).max(axis=2) > 40
    found = frame_of(framed, aligned(SIZE), mask) > 0
    beside = worn & (mask < 0.5)
    assert beside.sum() > 100
    assert found[beside].mean() > 0.9
    assert found[mask < 0.5].mean() < 0.04


def test_an_ear_beside_the_frame_is_no_part_of_it() -> None:
    plain, eared = head(SIZE, glasses=True), head(SIZE, glasses=True)
    ears = np.zeros((SIZE, SIZE), dtype=np.uint8)
    for x in (48, 208):
        cv2.ellipse(ears, (x, 138), (13, 24), 0, 0, 360, 1, cv2.FILLED)
        cv2.ellipse(eared, (x, 138), (13, 24), 0, 0, 360, (190, 140, 120), cv2.FILLED, cv2.LINE_AA)
        cv2.ellipse(eared, (x, 140), (8, 16), 0, 0, 360, (120, 80, 70), 2, cv2.LINE_AA)
    arms = np.abs(plain.astype(int) - head(SIZE)).max(axis=2) > 40
    eared[arms] = plain[arms]
    mask, _ = face_mask(eared, aligned(SIZE))
    found = frame_of(eared, aligned(SIZE), mask) > 0
    assert found[(ears > 0) & arms].mean() > 0.6
    assert found[(ears > 0) & (cv2.dilate(arms.astype(np.uint8), np.ones((9, 9))) == 0)].mean() < 0.03


def test_painting_over_goes_on_from_both_sides_and_touches_nothing_else() -> None:
    ramp = np.repeat(np.linspace(20, 220, 60).astype(np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    where = np.zeros((40, 60), dtype=bool)
    where[18:22, 10:50] = True
    struck = ramp.copy()
    struck[where] = 0
    painted = painted_over(struck, where)
    np.testing.assert_array_equal(painted[~where], ramp[~where])
    assert np.abs(painted[where].astype(int) - ramp[where]).max() < 12
