from collections.abc import Callable

import numpy as np
import pytest

from falco_core.faces.find import FoundFace
from falco_core.faces.transparency import without_drawn_faces
from falco_core.photos.codec import Photo

SHAPE = (80, 100)
BLUE = np.zeros((*SHAPE, 3), dtype=np.uint8) + np.array([40, 60, 200], dtype=np.uint8)
STROKES = slice(20, 40), slice(30, 50)
"""Where a picture is drawn."""


def strokes() -> np.ndarray:
    """Something with many levels, uint8 [20, 20]."""
    y, x = np.mgrid[0:20, 0:20]
    return ((x * 37 + y * 91) % 200 + 28).astype(np.uint8)


def face_at(left: int, top: int) -> FoundFace:
    box = np.array([left, top, left + 20, top + 20], dtype=float)
    return FoundFace(box, np.zeros((5, 2)), 0.9, 0.0, ("whole",))


def finder_of_strokes(pixels: np.ndarray) -> list[FoundFace]:
    """Sees a face wherever the brightness of the place is far from even."""
    return [face_at(30, 20)] if pixels[STROKES].astype(float).std(axis=(0, 1)).max() > 30 else []


def photo_of(alpha: np.ndarray, pixels: np.ndarray = BLUE) -> Photo:
    return Photo(pixels, "PNG", alpha=alpha)


def test_a_face_that_only_alpha_draws_is_gone() -> None:
    alpha = np.full(SHAPE, 255, dtype=np.uint8)
    alpha[STROKES] = strokes()
    result = without_drawn_faces(photo_of(alpha), finder_of_strokes, [])
    assert result is not None and result.alpha is not None
    assert (result.alpha[STROKES] == 255).all()
    np.testing.assert_array_equal(result.pixels, BLUE)


@pytest.mark.parametrize("background", [0, 255])
def test_a_face_that_colours_and_alpha_draw_together_is_gone(background: int) -> None:
    alpha = np.full(SHAPE, 255, dtype=np.uint8)
    alpha[STROKES] = strokes()
    even = np.zeros((*SHAPE, 3), dtype=np.uint8) + np.uint8(255 - background)
    result = without_drawn_faces(photo_of(alpha, even), finder_of_strokes, [])
    assert result is not None and result.alpha is not None and (result.alpha[STROKES] == 255).all()


def test_a_cut_out_person_keeps_its_transparency() -> None:
    pixels = BLUE.copy()
    pixels[STROKES] = np.dstack([strokes()] * 3)
    alpha = np.zeros(SHAPE, dtype=np.uint8)
    alpha[16:44, 26:54] = 255
    result = without_drawn_faces(photo_of(alpha, pixels), finder_of_strokes, [face_at(30, 20)])
    assert result is not None
    np.testing.assert_array_equal(result.alpha, alpha)


def test_an_opaque_photo_is_not_looked_at_again() -> None:
    def fail(_: np.ndarray) -> list[FoundFace]:
        raise AssertionError

    find: Callable[[np.ndarray], list[FoundFace]] = fail
    for photo in (Photo(BLUE, "PNG"), photo_of(np.full(SHAPE, 255, dtype=np.uint8))):
        assert without_drawn_faces(photo, find, []) is photo


def test_a_face_that_does_not_go_away_gives_the_photo_up() -> None:
    alpha = np.full(SHAPE, 200, dtype=np.uint8)
    assert without_drawn_faces(photo_of(alpha), lambda _: [face_at(60, 50)], []) is None
