from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from falco_core.errors import BundleError, ParamsError
from falco_core.faces.centerface import CenterFace
from falco_core.faces.centerface.network import FILE
from falco_core.faces.find import THRESHOLD, Finder, FoundFace, is_cut, score_of, turned_away
from falco_core.faces.sightings import Sighting
from falco_core.faces.views import OVERLAP, TILE, views_of
from falco_core.photos.codec import load_photo

# Faces of the demo photos: middle of the face as a share of width and height (from the scenes that drew them).
PLACES = {
    "living_room.jpg": [(0.37, 0.46), (0.69, 0.41)],
    "city_street.jpg": [(0.51, 0.42)],
    "park_bench.jpg": [(0.34, 0.45), (0.66, 0.43)],
    "open_sky.png": [(0.48, 0.47)],
    "beach.jpg": [(0.21, 0.49), (0.49, 0.51), (0.80, 0.45)],
    "library.jpg": [(0.49, 0.46)],
    "old_print.jpg": [(0.49, 0.48)],
}


@pytest.fixture(scope="module")
def finder() -> Finder:
    return Finder()


@pytest.fixture(scope="module")
def street(demo_photos: Path) -> np.ndarray:
    return opened(demo_photos / "city_street.jpg")


@pytest.fixture(scope="module")
def head(street: np.ndarray) -> np.ndarray:
    """One face of 245 x 342 pixels and its surroundings: uint8 [560, 440, 3]."""
    return street[140:700, 180:620]


def opened(path: Path) -> np.ndarray:
    return load_photo(path, max_pixels=10**7).pixels


def resized(pixels: np.ndarray, scale: float) -> np.ndarray:
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def on(canvas: np.ndarray, part: np.ndarray, x: int, y: int) -> np.ndarray:
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    return canvas


def middle(face: FoundFace) -> np.ndarray:
    return (face.box[:2] + face.box[2:]) / 2


def holds(outer: np.ndarray, inner: np.ndarray) -> float:
    """The share of a box that lies inside another."""
    sides = np.minimum(outer[2:], inner[2:]) - np.maximum(outer[:2], inner[:2])
    return float(sides.clip(min=0).prod() / (inner[2:] - inner[:2]).prod())


def known(face: FoundFace, faces: list[FoundFace]) -> bool:
    return any(np.array_equal(face.box, other.box) and face.score == other.score for other in faces)


@pytest.mark.parametrize("name", PLACES)
def test_each_face_of_a_demo_photo_is_found_once_at_its_place(name: str, demo_photos: Path, finder: Finder) -> None:
    pixels = opened(demo_photos / name)
    faces = finder.find(pixels)
    height, width = pixels.shape[:2]
    assert len(faces) == len(PLACES[name])
    for face, place in zip(faces, PLACES[name], strict=True):
        assert np.abs(middle(face) / [width, height] - place).max() < 0.03
        left, right, nose, left_mouth, right_mouth = face.landmarks
        assert left[0] < nose[0] < right[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left[1], right[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        assert face.mtcnn_score > 0.8
        assert not is_cut(face, pixels.shape)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_landmarks_follow_a_turned_face(quarters: int, street: np.ndarray, finder: Finder) -> None:
    (upright,), (turned,) = finder.find(street), finder.find(np.rot90(street, quarters))
    height, width = street.shape[:2]
    x, y = upright.landmarks.T
    expected = {1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[quarters]
    assert np.abs(turned.landmarks - np.stack(expected, 1)).max() < 0.1 * upright.size
    assert turned.mtcnn_score > 0.9


@pytest.mark.parametrize("side", ["left", "right", "bottom"])
def test_a_face_of_which_half_is_in_the_photo_is_found_and_known_to_be_cut(
    side: str, street: np.ndarray, finder: Finder
) -> None:
    parts = {"left": street[:, 408:], "right": street[:, :408], "bottom": street[:408]}
    (face,) = finder.find(parts[side])
    assert is_cut(face, parts[side].shape)


@pytest.mark.parametrize("percent", [30, 10])
def test_a_dark_face_is_found(percent: int, street: np.ndarray, finder: Finder) -> None:
    dark = (street.astype(float) * percent / 100).round().astype(np.uint8)
    (face,), (bright,) = finder.find(dark), finder.find(street)
    assert holds(face.box, bright.box) > 0.7


def test_a_face_of_13_pixels_is_found_in_a_small_and_in_a_large_photo(head: np.ndarray, finder: Finder) -> None:
    tiny = resized(head, 13 / 245)
    for canvas, x, y in ((grey(60, 60), 16, 14), (grey(1300, 2600), 2100, 900)):
        (face,) = finder.find(on(canvas, tiny, x, y))
        assert np.abs(middle(face) - [x + tiny.shape[1] * 0.52, y + tiny.shape[0] * 0.48]).max() < 5
        assert 9 < face.size < 18


def test_a_very_large_face_is_one_face(head: np.ndarray, finder: Finder) -> None:
    large = resized(head, 3.0)  # a face of 735 x 1026 pixels, which tiles and the largest view see parts of
    (face,) = finder.find(large)
    assert face.size > 550
    assert len(face.views) > 1


def test_faces_side_by_side_are_two(head: np.ndarray, finder: Finder) -> None:
    part = resized(head, 0.3)[20:140, 20:115]
    left, right = finder.find(on(on(grey(240, 400), part, 100, 60), part, 100 + part.shape[1], 60))
    assert left.box[2] < right.box[0] + 12


def test_raising_the_smallest_size_hides_no_larger_face(head: np.ndarray, finder: Finder) -> None:
    canvas = on(on(grey(700, 1700), resized(head, 16 / 245), 60, 60), resized(head, 40 / 245), 400, 300)
    pixels = on(canvas, head, 1000, 60)
    every = finder.find(pixels)
    assert len(every) == 3
    for smallest, expected in ((1, every), (40, every[1:]), (200, every[2:])):
        found = Finder(smallest=smallest).find(pixels)
        assert len(found) == len(expected)
        assert all(known(face, found) for face in expected)


def test_a_cut_face_is_not_taken_for_a_small_one(street: np.ndarray) -> None:
    (face,) = Finder(smallest=200).find(street[:, 408:])
    assert face.size < 200  # what is left of a face 245 pixels wide


def test_a_lower_threshold_finds_all_of_a_higher_one_and_more(street: np.ndarray) -> None:
    pixels = street[200:640, 180:370]  # a third of the face
    cut = on(grey(440, 190 + 430), pixels, 430, 0)
    cut[:, :400] = street[200:640, 200:600]
    found = [Finder(threshold=threshold).find(cut) for threshold in (0.99, 0.7, 0.06)]
    for fewer, more in pairwise(found):
        assert all(known(face, more) for face in fewer)
        assert len(more) >= len(fewer)
    assert len(found[-1]) > len(found[1]) >= 1


@pytest.mark.parametrize("shape", [(1, 1), (20, 20), (31, 33), (8, 3000), (2100, 5), (240, 320)])
def test_a_picture_without_a_face_gives_none_whatever_its_shape(shape: tuple[int, int], finder: Finder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    for pixels in (np.zeros_like(noise), np.full_like(noise, 255), noise):
        assert finder.find(pixels) == []


def test_a_photo_of_no_pixels_has_no_faces(finder: Finder) -> None:
    assert finder.find(np.zeros((0, 40, 3), np.uint8)) == []


def test_finding_again_gives_the_same_to_the_last_bit(street: np.ndarray, finder: Finder) -> None:
    (first,), (second,) = finder.find(street), Finder().find(street.copy())
    assert np.array_equal(first.box, second.box)
    assert np.array_equal(first.landmarks, second.landmarks)
    assert (first.score, first.mtcnn_score, first.views) == (second.score, second.mtcnn_score, second.views)


@pytest.mark.parametrize("side", ["left", "right", "bottom"])
def test_a_face_of_which_a_third_with_an_eye_is_in_the_photo_is_found(
    side: str, street: np.ndarray, finder: Finder
) -> None:
    (whole,) = finder.find(street)
    (x0, y0), (x1, y1) = whole.box[:2], whole.box[2:]
    wide, tall = x1 - x0, y1 - y0
    across, down = round(x0 + 0.62 * wide), round(y0 + 0.55 * tall)
    parts = {"left": street[:, across:], "right": street[:, : round(x0 + 0.4 * wide)], "bottom": street[:down]}
    faces = finder.find(parts[side])
    assert len(faces) == 1
    assert is_cut(faces[0], parts[side].shape)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_small_turned_face_is_found_once_at_its_place(quarters: int, head: np.ndarray, finder: Finder) -> None:
    small = resized(head, 24 / 245)
    pixels = on(grey(300, 400), small, 180, 120)
    (upright,), (turned,) = finder.find(pixels), finder.find(np.rot90(pixels, quarters))
    x, y = middle(upright)
    height, width = pixels.shape[:2]
    expected = {1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[quarters]
    assert np.abs(middle(turned) - expected).max() < 8


def test_two_boxes_on_one_face_are_one(head: np.ndarray, finder: Finder) -> None:
    for scale in (0.1, 0.4, 1.0):
        assert len(Finder(threshold=0.15).find(resized(head, scale))) == 1


def test_what_neither_network_is_sure_of_counts_only_where_they_agree() -> None:
    def score(view: float, border: float, yunet: float, centerface: float) -> float:
        box, marks = np.zeros(4), np.zeros((5, 2))
        sighting = Sighting(box, marks, view, (True, True, view), 1.0, border)
        return score_of(sighting, yunet=yunet, centerface=centerface)

    assert score(0.9, 0.0, 0.0, 0.0) > THRESHOLD  # CenterFace is sure, nobody agrees
    assert score(0.48, 0.0, 0.0, 0.0) < THRESHOLD
    assert score(0.04, 0.0, 0.81, 0.71) > THRESHOLD  # too small for a view, clear in the closer look
    assert score(0.0, 0.8, 0.9, 0.2) > THRESHOLD  # a cut face that the mirrored border completes
    assert score(0.0, 0.45, 0.85, 0.0) < THRESHOLD
    assert score(0.06, 0.0, 0.8, 0.0) < THRESHOLD  # YuNet alone
    assert score(0.5, 0.0, 0.8, 0.6) == pytest.approx(0.8 * 0.55**0.5)


@pytest.mark.parametrize("shape", [(1601, 1601), (900, 5000), (4000, 3000)])
def test_views_are_bounded_by_a_tile_and_tiles_cover_the_photo_with_their_overlap(shape: tuple[int, int]) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    seen = np.zeros(shape, int)
    last = 0.0
    for view in views_of(pixels):
        assert max(view.pixels.shape) <= TILE + 2 * view.border <= 1.2 * TILE
        if view.name == "tiles":
            x, y = view.corner.astype(int)
            seen[y : y + view.pixels.shape[0], x : x + view.pixels.shape[1]] += 1
            if view.inner[0]:
                assert last - x >= OVERLAP
            last = x + view.pixels.shape[1]
    assert seen.min() >= 1


def test_a_damaged_or_missing_network_is_one_sentence(tmp_path: Path) -> None:
    damaged = tmp_path / "centerface.onnx"
    with pytest.raises(BundleError, match="cannot be read.*: reinstall falco$"):
        CenterFace(damaged)
    data = bytearray(FILE.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(BundleError, match="is damaged: reinstall falco$"):
        CenterFace(damaged)


@pytest.mark.parametrize("wrong", [{"threshold": 0.0}, {"threshold": 1.5}, {"smallest": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParamsError):
        Finder(**wrong)  # type: ignore[arg-type]


def face_at(*box: float) -> FoundFace:
    return FoundFace(np.array(box), np.zeros((5, 2)), 0.9, 0.9, ("tiles",))


def test_a_face_is_cut_where_its_box_touches_the_border() -> None:
    assert not is_cut(face_at(20, 20, 60, 70), (100, 100, 3))
    for box in ((0, 20, 40, 70), (20, 0.5, 60, 70), (60, 20, 100, 70), (20, 50, 60, 99)):
        assert is_cut(face_at(*box), (100, 100, 3))
    assert face_at(20, 20, 60, 70).size == 40


def test_turned_away_is_0_for_a_frontal_face_and_1_for_a_profile_however_the_picture_is_turned() -> None:
    frontal = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], float)
    half, profile = frontal.copy(), frontal.copy()
    half[2], profile[2] = [60, 60], [75, 60]
    for degrees in (0, 30, 90, 180):
        turn = np.deg2rad(degrees)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        measured = [turned_away(points @ matrix.T) for points in (frontal, half, profile)]
        assert measured == pytest.approx([0, 0.5, 1])
    assert turned_away(np.zeros((5, 2))) == 1
