import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.faces.align import crop_quad, extract_crop
from falco_core.faces.compose import face_oval, paste
from tests.falco_core.faces.test_align import smooth

FACE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.0, 0.05], [-0.4, 0.5], [0.4, 0.5]])


def landmarks(x: float, y: float, size: float, turn: float = 0.0) -> np.ndarray:
    angle = np.deg2rad(turn)
    matrix = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return FACE @ matrix.T + [x, y]


@pytest.mark.parametrize("turn", [0.0, 20.0, -35.0])
@pytest.mark.parametrize("size", [20.0, 60.0])
def test_an_untouched_crop_gives_the_photo_back(turn: float, size: float) -> None:
    photo = smooth(300, 320)
    points = landmarks(160, 150, size, turn)
    quad = crop_quad(points)
    crop = extract_crop(photo, quad, 256)
    pasted = paste(photo, crop, quad=quad, landmarks=points, feather=0.12)
    difference = np.abs(pasted.pixels.astype(int) - photo)
    assert difference[pasted.region].mean() <= 1.5
    assert difference[~pasted.region].max() == 0


@given(st.floats(-60, 360), st.floats(-60, 360), st.floats(4, 150), st.floats(-180, 180))
@settings(max_examples=40, deadline=None)
def test_outside_of_the_region_not_a_bit_changes(x: float, y: float, size: float, turn: float) -> None:
    photo = smooth(200, 240)
    points = landmarks(x, y, size, turn)
    crop = np.full((64, 64, 3), 200, dtype=np.uint8)
    pasted = paste(photo, crop, quad=crop_quad(points), landmarks=points, feather=0.12)
    np.testing.assert_array_equal(pasted.pixels[~pasted.region], photo[~pasted.region])


def test_inside_the_oval_nothing_of_the_original_is_left() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (300, 300, 3)).astype(np.uint8)
    points = landmarks(150, 140, 60)
    crop = np.full((128, 128, 3), 90, dtype=np.uint8)
    pasted = paste(photo, crop, quad=crop_quad(points), landmarks=points, feather=0.12)
    y, x = np.mgrid[0:300, 0:300]
    inside = face_oval(points).distance(np.stack([x, y], axis=-1) + 0.5) <= 1
    assert np.ptp(pasted.pixels[inside].reshape(-1, 3), axis=0).max() == 0


@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_the_oval_covers_brows_cheeks_and_chin(turn: float) -> None:
    # In units of the eye-to-mouth height, around the middle between eyes and mouth: generous adult proportions.
    # The chin of a laughing face is the lowest point.
    covered = np.array([[0, -1.2], [-0.6, -1.05], [0.6, -1.05], [-0.85, 0.0], [0.85, 0.0], [0, 1.4], [-0.5, 1.05]])
    points = landmarks(100, 100, 50, turn)
    angle = np.deg2rad(turn)
    matrix = 50 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert (face_oval(points).distance(covered @ matrix.T + [100, 100]) <= 1).all()


@pytest.mark.parametrize("turned", [-0.7, -0.3, 0.3, 0.7])
def test_the_oval_of_a_turned_face_covers_its_nose_and_the_cheek_behind(turned: float) -> None:
    # Eyes and mouth corners come together, the nose goes ahead, the near cheek and jaw stay behind.
    narrow = FACE * [1 - abs(turned), 1] + np.array([[0, 0], [0, 0], [turned, 0], [0, 0], [0, 0]])
    covered = np.array([[turned * 1.15, 0.0], [-np.sign(turned) * (0.85 + 0.7 * abs(turned)), 0.1], [0, 1.3]])
    assert (face_oval(100 + 50 * narrow).distance(100 + 50 * covered) <= 1).all()


def test_a_face_across_the_border_is_replaced_up_to_the_border() -> None:
    photo = smooth(120, 120)
    points = landmarks(5, 110, 40)
    crop = np.full((64, 64, 3), 90, dtype=np.uint8)
    pasted = paste(photo, crop, quad=crop_quad(points), landmarks=points, feather=0.12)
    assert pasted.region[-1, 0]
    assert not pasted.region[0].any()
    y, x = np.mgrid[0:120, 0:120]
    inside = face_oval(points).distance(np.stack([x, y], axis=-1) + 0.5) <= 1
    assert np.ptp(pasted.pixels[inside].reshape(-1, 3), axis=0).max() == 0


def test_a_crop_much_larger_than_its_place_is_not_aliased() -> None:
    photo = np.full((100, 100, 3), 127, dtype=np.uint8)
    stripes = np.zeros((512, 512, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    points = landmarks(50, 50, 12)
    pasted = paste(photo, stripes, quad=crop_quad(points), landmarks=points, feather=0.12)
    assert np.abs(pasted.pixels.astype(int) - 127).max() < 12


def test_the_original_photo_is_not_written_to() -> None:
    photo = smooth(120, 120)
    photo.setflags(write=False)
    points = landmarks(60, 60, 25)
    crop = np.full((64, 64, 3), 90, dtype=np.uint8)
    pasted = paste(photo, crop, quad=crop_quad(points), landmarks=points, feather=0.12)
    assert (pasted.pixels != photo).any()


def test_the_new_face_takes_the_old_ones_mean_colour() -> None:
    photo = np.full((200, 200, 3), (150, 110, 90), dtype=np.uint8)
    points = landmarks(100, 95, 40)
    crop = np.full((64, 64, 3), (170, 120, 100), dtype=np.uint8)
    pasted = paste(photo, crop, quad=crop_quad(points), landmarks=points, feather=0.12)
    np.testing.assert_array_equal(pasted.pixels, photo)
    assert pasted.region.any()
