from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from falco_core.faces.detect import SMALLEST, Detection, Detector
from falco_core.photos.codec import load_photo


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(device="cpu")


@pytest.fixture(scope="module")
def portrait(demo_photos: Path, detector: Detector) -> np.ndarray:
    """The surroundings of the first face of a demo photo: uint8 [h, w, 3]."""
    pixels = load_photo(demo_photos / "living_room.jpg", max_pixels=10**7).pixels
    x0, y0, x1, y1 = detector.detect(pixels)[0].box
    reach = (y1 - y0) * 0.6
    height, width = pixels.shape[:2]
    rows = slice(max(0, int(y0 - reach)), min(height, int(y1 + reach)))
    columns = slice(max(0, int(x0 - reach)), min(width, int(x1 + reach)))
    return pixels[rows, columns]


def resized(pixels: np.ndarray, scale: float) -> np.ndarray:
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def on_canvas(portrait: np.ndarray, places: list[tuple[int, int]], height: int, width: int) -> np.ndarray:
    pixels = np.full((height, width, 3), 128, dtype=np.uint8)
    for x, y in places:
        pixels[y : y + portrait.shape[0], x : x + portrait.shape[1]] = portrait
    return pixels


def same(first: list[Detection], second: list[Detection]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a.box, b.box) and np.array_equal(a.landmarks, b.landmarks) and a.score == b.score
        for a, b in zip(first, second, strict=True)
    )


def test_a_face_has_landmarks_inside_its_box_in_their_order(detector: Detector, portrait: np.ndarray) -> None:
    (face,) = detector.detect(portrait)
    x0, y0, x1, y1 = face.box
    assert ((face.landmarks > [x0, y0]) & (face.landmarks < [x1, y1])).all()
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert 0.9 <= face.score <= 1


def test_faces_come_from_left_to_right(detector: Detector, portrait: np.ndarray) -> None:
    height, width = portrait.shape[:2]
    pixels = on_canvas(portrait, [(width + 30, 10), (5, 40)], height + 60, 2 * width + 40)
    faces = detector.detect(pixels)
    assert len(faces) == 2
    assert faces[0].box[0] < faces[1].box[0]


def test_detecting_again_gives_the_same_to_the_last_bit(detector: Detector, portrait: np.ndarray) -> None:
    before = torch.random.get_rng_state()
    assert same(detector.detect(portrait), Detector(device="cpu").detect(portrait))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_large_photo_is_scaled_for_detection_and_its_faces_are_in_its_own_pixels(portrait: np.ndarray) -> None:
    large = resized(portrait, 3.0)
    small_copy = Detector(device="cpu", max_side=max(portrait.shape), min_face_size=3 * SMALLEST)
    (scaled,), (full,) = small_copy.detect(large), Detector(device="cpu", max_side=10_000).detect(large)
    side = full.box[3] - full.box[1]
    assert np.abs(scaled.landmarks - full.landmarks).max() < 0.08 * side


def test_scaling_never_hides_a_face_that_is_large_enough(portrait: np.ndarray, detector: Detector) -> None:
    (face,) = detector.detect(portrait)
    small = resized(portrait, 64 / (face.box[3] - face.box[1]))
    pixels = on_canvas(small, [(900, 300)], 600, 1600)
    # max_side alone would leave 10 pixels of the face.
    assert len(Detector(device="cpu", max_side=256, min_face_size=48).detect(pixels)) == 1


def test_a_higher_threshold_finds_a_part_of_what_a_lower_one_finds(portrait: np.ndarray) -> None:
    suspicious, sure = Detector(device="cpu", threshold=0.5), Detector(device="cpu", threshold=1.0)
    assert len(suspicious.detect(portrait)) >= 1
    assert all(face.score >= 1.0 for face in sure.detect(portrait))


@pytest.mark.parametrize(
    "shape", [(1, 1), (SMALLEST - 1, 500), (SMALLEST, SMALLEST), (SMALLEST, 900), (900, 21), (33, 47), (200, 200)]
)
def test_a_picture_without_a_face_gives_none_whatever_its_shape(shape: tuple[int, int], detector: Detector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    for pixels in (np.zeros_like(noise), np.full_like(noise, 255), noise):
        assert detector.detect(pixels) == []
