import io

import numpy as np
import pytest
from PIL import Image

from falco_core.faces.tone import toned

SEPIA = np.array([1.0, 0.87, 0.68])


def scene(seed: int = 0) -> np.ndarray:
    """Grey levels [H, W] of soft shapes."""
    y, x = np.mgrid[0:120, 0:160]
    waves = np.sin(x / (9 + seed)) * np.cos(y / (13 - seed))
    return np.clip(128 + 110 * waves, 0, 255)


def sepia(levels: np.ndarray) -> np.ndarray:
    return np.rint(levels[..., None] * SEPIA).astype(np.uint8)


def drawn_area() -> np.ndarray:
    area = np.zeros((120, 160), dtype=bool)
    area[30:80, 50:100] = True
    return area


def with_colours(photo: np.ndarray) -> np.ndarray:
    """A photo into which something of other colours was drawn."""
    result = photo.copy()
    result[drawn_area()] = (0.8 * np.dstack([scene(1), scene(2), scene(3)])).astype(np.uint8)[drawn_area()]
    return result


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_a_grey_photo_stays_grey_to_the_bit() -> None:
    photo = np.dstack([scene().astype(np.uint8)] * 3)
    result = toned(with_colours(photo), photo, drawn_area())
    assert int(np.ptp(result, axis=2).max()) == 0
    np.testing.assert_array_equal(result[~drawn_area()], photo[~drawn_area()])


@pytest.mark.parametrize("quality", [None, 95, 75])
def test_sepia_keeps_its_one_tint(quality: int | None) -> None:
    photo = sepia(scene()) if quality is None else as_jpeg(sepia(scene()), quality)
    result = toned(with_colours(photo), photo, drawn_area()).astype(float)
    inside = result[drawn_area()]
    brightness = (inside @ (0.299, 0.587, 0.114)) / (SEPIA @ (0.299, 0.587, 0.114))
    assert np.abs(inside - brightness[:, None] * SEPIA).max() <= (4 if quality is None else 14)
    assert inside.std() > 20, "what was drawn is still a picture"
    np.testing.assert_array_equal(result[~drawn_area()], photo[~drawn_area()])


def test_a_photo_of_several_colours_is_left_alone() -> None:
    photo = np.dstack([scene(0), scene(2), scene(4)]).astype(np.uint8)
    composed = with_colours(photo)
    assert toned(composed, photo, drawn_area()) is composed


def test_a_coloured_face_before_a_grey_wall_keeps_its_colours() -> None:
    photo = np.dstack([scene().astype(np.uint8)] * 3)
    photo[40:60, 60:80] = np.dstack([scene(0), scene(2), scene(4)]).astype(np.uint8)[40:60, 60:80]
    composed = with_colours(photo)
    assert toned(composed, photo, drawn_area()) is composed


def test_nothing_drawn_is_nothing_changed() -> None:
    photo = sepia(scene())
    assert toned(photo, photo, np.zeros((120, 160), dtype=bool)) is photo
