import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.faces.align import crop_quad, extract_crop

UPRIGHT = np.array([[40.0, 50.0], [80.0, 50.0], [60.0, 70.0], [45.0, 90.0], [75.0, 90.0]])


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17) + np.cos(y / 23), np.cos(x / 29), np.sin((x + y) / 31)]
    return np.stack([127 + 50 * wave for wave in waves], axis=2).astype(np.uint8)


def test_the_quad_of_an_upright_face_is_the_published_square() -> None:
    # eye to eye (40, 0), eye to mouth (0, 40): x = (80, 0) before scaling, scaled to max(80, 72) = 80.
    np.testing.assert_allclose(crop_quad(UPRIGHT), [[-20, -26], [-20, 134], [140, 134], [140, -26]])


@given(st.floats(-180, 180), st.floats(0.2, 5), st.floats(-100, 100), st.floats(-100, 100))
@settings(max_examples=60, deadline=None)
def test_the_quad_turns_scales_and_moves_with_the_face(turn: float, scale: float, x: float, y: float) -> None:
    angle = np.deg2rad(turn)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = crop_quad(UPRIGHT @ matrix.T + [x, y])
    np.testing.assert_allclose(moved, crop_quad(UPRIGHT) @ matrix.T + [x, y], atol=1e-6)


def test_a_crop_at_its_own_size_is_the_photo_itself() -> None:
    photo = smooth(120, 160)
    quad = np.array([[30.0, 20.0], [30.0, 84.0], [94.0, 84.0], [94.0, 20.0]])
    np.testing.assert_array_equal(extract_crop(photo, quad, 64), photo[20:84, 30:94])


def test_a_crop_across_the_border_is_mirrored_and_whole() -> None:
    photo = smooth(100, 100)
    quad = np.array([[-20.0, -20.0], [-20.0, 44.0], [44.0, 44.0], [44.0, -20.0]])
    crop = extract_crop(photo, quad, 64)
    np.testing.assert_array_equal(crop[20:, 20:], photo[:44, :44])
    np.testing.assert_array_equal(crop[19, 20:], photo[0, :44])


def test_a_shrunk_crop_has_no_aliasing() -> None:
    photo = np.zeros((512, 512, 3), dtype=np.uint8)
    photo[:, ::2] = 255
    quad = np.array([[0.0, 0.0], [0.0, 512.0], [512.0, 512.0], [512.0, 0.0]])
    crop = extract_crop(photo, quad, 64)
    assert np.abs(crop[8:-8, 8:-8].astype(int) - 127).max() < 12


@given(st.integers(1, 40), st.integers(1, 40), st.floats(-50, 50), st.floats(3, 300))
@settings(max_examples=40, deadline=None)
def test_any_photo_and_quad_give_a_crop(height: int, width: int, corner: float, side: float) -> None:
    quad = corner + side * np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    assert extract_crop(smooth(height, width), quad, 32).shape == (32, 32, 3)


def test_landmarks_without_extent_give_no_quad() -> None:
    assert np.isnan(crop_quad(np.ones((5, 2)))).all()
