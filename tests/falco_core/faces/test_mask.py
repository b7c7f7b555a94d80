import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.faces.mask import ALIGNED_LANDMARKS, core_mask, face_mask, face_oval
from tests.falco_core.faces.portraits import HAIR, SKIN, WALL, aligned, head

FACE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.0, 0.05], [-0.4, 0.5], [0.4, 0.5]])


def landmarks(x: float, y: float, size: float, turn: float = 0.0) -> np.ndarray:
    angle = np.deg2rad(turn)
    matrix = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return FACE @ matrix.T + [x, y]


def coloured(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a head's drawing has a colour, away from its edges: bool [S, S]."""
    same = np.abs(picture.astype(int) - colour).max(axis=2) < 12
    return cv2.erode(same.astype(np.uint8), np.ones((7, 7))).astype(bool)


def within_oval(size: int, distance: float) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size]
    return face_oval(aligned(size)).distance(np.stack([x, y], axis=-1) + 0.5) < distance


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_mask_covers_the_skin_and_keeps_off_hair_and_wall(size: int) -> None:
    picture = head(size, grain=0)
    mask, quality = face_mask(picture, aligned(size))
    assert mask.dtype == np.float32
    assert mask.shape == (size, size)
    assert 0 <= mask.min() <= mask.max() == 1
    assert mask[coloured(picture, SKIN) & within_oval(size, 0.9)].mean() > 0.97
    near_core = cv2.dilate(core_mask(aligned(size), size).astype(np.uint8), np.ones((size // 16, size // 16))) > 0
    assert mask[coloured(picture, HAIR) & ~near_core].max() < 0.05
    assert mask[coloured(picture, WALL)].max() < 0.05
    assert quality.covered < 0.02


def test_hair_over_the_forehead_stays_and_brows_do_not() -> None:
    plain, _ = face_mask(head(128), aligned(128))
    fringed, _ = face_mask(head(128, fringe=True), aligned(128))
    assert plain[40, 64] == 1
    assert fringed[:42, 40:88].max() < 0.05
    assert fringed[52:55, 40:88].min() == 1


def test_a_beard_belongs_to_the_face() -> None:
    mask, quality = face_mask(head(128, beard=True), aligned(128))
    assert mask[98:110, 52:76].min() == 1
    assert quality.covered < 0.05


def test_what_covers_the_cheek_stays_in_front_and_is_reported() -> None:
    plain, nothing = face_mask(head(128), aligned(128))
    hidden = head(128)
    hidden[78:, 86:] = (30, 160, 60)
    mask, something = face_mask(hidden, aligned(128))
    assert plain[84:96, 88:90].min() > 0.9
    assert mask[86:96, 90:].max() < 0.05
    hidden[:, 70:] = (30, 160, 60)
    mask, half = face_mask(hidden, aligned(128))
    assert nothing.covered < something.covered < half.covered
    assert half.covered > 0.1
    assert (mask[core_mask(aligned(128), 128)] == 1).all()


@given(st.integers(0, 2**32 - 1), st.floats(-25, 25), st.floats(-0.5, 0.5), st.sampled_from([64, 128, 200]))
@settings(max_examples=25, deadline=None)
def test_eyes_nose_and_mouth_are_inside_whatever_lies_on_them(seed: int, roll: float, turned: float, size: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (rng.integers(2, 12), rng.integers(2, 12), 3)).astype(np.uint8)
    picture = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_NEAREST)
    moved = FACE * [1 - 0.5 * abs(turned), 1] + np.array([[0, 0], [0, 0], [turned, 0], [0, 0], [0, 0]])
    angle = np.deg2rad(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = 0.278 * size * moved @ turn.T + [size / 2, 0.61 * size]
    mask, _ = face_mask(picture, points)
    assert (mask[core_mask(points, size)] == 1).all()
    # No holes: what is not mask hangs together with the crop's border.
    outside = cv2.copyMakeBorder((mask < 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    assert cv2.connectedComponents(outside, connectivity=4)[0] == 2


@pytest.mark.parametrize("turn", [0.0, 40.0])
def test_the_core_covers_brows_eyes_nose_and_mouth(turn: float) -> None:
    # In units of the eye-to-mouth height around the middle between eyes and mouth.
    parts = np.array([[-0.7, -0.72], [0.7, -0.72], [-0.4, -0.85], [0.4, -0.85], [0, 0.2], [-0.45, 0.5], [0, 0.72]])
    points = landmarks(100, 100, 50, turn)
    angle = np.deg2rad(turn)
    matrix = 50 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = np.rint(parts @ matrix.T + [100, 100]).astype(int)
    assert core_mask(points, 200)[places[:, 1], places[:, 0]].all()


def test_the_same_crop_gives_the_same_mask_whatever_was_drawn_before() -> None:
    cv2.setRNGSeed(1)
    first, _ = face_mask(head(128), aligned(128))
    cv2.setRNGSeed(2)
    np.random.seed(3)
    second, _ = face_mask(head(128), aligned(128))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "points",
    [np.full((5, 2), np.nan), np.full((5, 2), 64.0), ALIGNED_LANDMARKS * 128 + [500, 0], ALIGNED_LANDMARKS * 2],
    ids=["nan", "one place", "beside the crop", "tiny"],
)
def test_landmarks_that_make_no_face_give_the_mask_of_an_upright_one(points: np.ndarray) -> None:
    mask, _ = face_mask(head(128), points)
    expected, _ = face_mask(head(128), aligned(128))
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128)])
def test_a_crop_of_one_colour_gives_the_whole_oval(colour: tuple[int, int, int]) -> None:
    mask, quality = face_mask(np.full((96, 96, 3), colour, dtype=np.uint8), aligned(96))
    assert mask[within_oval(96, 0.85)].min() == 1
    assert quality.covered == 0


def test_a_grey_crop_gives_the_same_outline() -> None:
    picture = head(128)
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    of_colour, of_grey = (face_mask(each, aligned(128))[0] > 0.5 for each in (picture, grey))
    assert (of_colour & of_grey).sum() > 0.9 * (of_colour | of_grey).sum()


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
