import numpy as np
import pytest

from falco_core.faces.exposure import LEAST, LUMINANCE, well_lit

MASK = np.zeros((64, 64), dtype=np.float32)
MASK[16:48, 16:48] = 1.0


def face(brightness: int) -> np.ndarray:
    """A skin-coloured face of a mean luminance, on white."""
    crop = np.full((64, 64, 3), 255, dtype=np.uint8)
    skin = np.array([1.3, 0.95, 0.75]) / (np.array([1.3, 0.95, 0.75]) @ LUMINANCE)
    crop[16:48, 16:48] = np.rint(skin * brightness)
    return crop


@pytest.mark.parametrize("brightness", [60, 90, 200])
def test_a_face_in_the_light_stays_as_it_is(brightness: int) -> None:
    crop = face(brightness)
    assert well_lit(crop, MASK) is crop or np.array_equal(well_lit(crop, MASK), crop)


@pytest.mark.parametrize("brightness", [8, 20, 45])
def test_a_face_in_the_dark_is_raised_in_its_own_colour(brightness: int) -> None:
    lit = well_lit(face(brightness), MASK)[32, 32].astype(float)
    assert lit @ LUMINANCE == pytest.approx(LEAST, rel=0.08)
    before = face(brightness)[32, 32].astype(float)
    np.testing.assert_allclose(lit / lit.sum(), before / before.sum(), atol=0.02)


def test_black_and_empty_masks_do_not_break() -> None:
    assert well_lit(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32)).max() == 0
    crop = face(10)
    assert np.array_equal(well_lit(crop, np.zeros((64, 64), np.float32)), crop)
