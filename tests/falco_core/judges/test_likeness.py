from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from falco_core.faces.align import crop_quad, extract_crop
from falco_core.faces.detect import Detector
from falco_core.judges.likeness import LIKENESS_LIMIT, is_copy, pixel_likeness

SIZE = 128


@pytest.fixture(scope="module")
def crops(demo_photos: Path) -> list[np.ndarray]:
    """Aligned crops of four people."""
    found = []
    for name in ("open_sky.png", "library.jpg", "brick_wall.jpg", "city_street.jpg"):
        pixels = np.asarray(ImageOps.exif_transpose(Image.open(demo_photos / name)).convert("RGB"))
        (face,) = Detector(device="cpu").detect(pixels)
        found.append(extract_crop(pixels, crop_quad(face.landmarks), SIZE))
    return found


def blurred_to(side: int) -> Callable[[np.ndarray], np.ndarray]:
    def blur(crop: np.ndarray) -> np.ndarray:
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)

    return blur


SAME = {
    "itself": lambda crop: crop,
    "grey": lambda crop: np.repeat(crop.mean(axis=2, keepdims=True), 3, axis=2).round().astype(np.uint8),
    "mirrored": lambda crop: crop[:, ::-1],
    "upside down": lambda crop: crop[::-1, ::-1],
    "turned": lambda crop: np.rot90(crop),
    "dark": lambda crop: (crop * 0.2).astype(np.uint8),
    "another light": lambda crop: np.clip(crop * [1.2, 0.9, 0.7] + 20, 0, 255).astype(np.uint8),
    "negative of the negative": lambda crop: 255 - (255 - crop),
    "shifted": lambda crop: np.roll(crop, (5, 9), axis=(0, 1)),
    "blurred to 32 pixels": blurred_to(32),
}


@pytest.mark.parametrize("way", SAME)
def test_the_original_is_known_however_it_is_disguised(crops: list[np.ndarray], way: str) -> None:
    for crop in crops:
        assert pixel_likeness(crop, np.ascontiguousarray(SAME[way](crop))) > LIKENESS_LIMIT


def test_other_people_are_not_like_it(crops: list[np.ndarray]) -> None:
    values = [pixel_likeness(one, other) for one in crops for other in crops if one is not other]
    assert max(values) < LIKENESS_LIMIT - 0.1


def test_one_colour_is_like_nothing(crops: list[np.ndarray]) -> None:
    plain = np.full((SIZE, SIZE, 3), 130, dtype=np.uint8)
    assert pixel_likeness(plain, crops[0]) == 0.0
    assert pixel_likeness(crops[0], plain) < 0.5
    assert pixel_likeness(plain, plain) == 0.0


COPIES = {
    **SAME,
    "negative": lambda crop: 255 - crop,
    "blurred to 16 pixels": blurred_to(16),
    "its left half beside another face": None,
    "its eyes above another face's mouth": None,
}


@pytest.mark.parametrize("way", COPIES)
def test_a_drawn_crop_that_is_the_original_is_a_copy(crops: list[np.ndarray], way: str) -> None:
    middle = SIZE // 2
    for crop, other in zip(crops, [*crops[1:], crops[0]], strict=True):
        if way == "its left half beside another face":
            drawn = np.concatenate([crop[:, :middle], other[:, middle:]], axis=1)
        elif way == "its eyes above another face's mouth":
            drawn = np.concatenate([crop[: round(0.68 * SIZE)], other[round(0.68 * SIZE) :]])
        else:
            drawn = np.ascontiguousarray(COPIES[way](crop))  # type: ignore[misc]
        assert is_copy(crop, drawn)


def test_another_face_is_no_copy(crops: list[np.ndarray]) -> None:
    assert not any(is_copy(one, other) for one in crops for other in crops if one is not other)
