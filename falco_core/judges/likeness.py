"""Likeness of pixels: does a picture still show what another one shows, whatever any recogniser says?

A new face shares pose, light and colours with the original, but not the strokes between: eyes, nose and mouth have
other shapes and other places by a pixel or two. So the pictures are compared in the band of those strokes, without
colour, brightness and contrast, over small shifts, mirrored and turned.
"""

import cv2
import numpy as np

SIDE = 96
"""Pixels of the square in which crops are compared."""
FEATURES = slice(round(0.37 * SIDE), round(0.87 * SIDE)), slice(round(0.25 * SIDE), round(0.75 * SIDE))
"""Rows and columns of that square between brows and chin of an aligned face (`faces.align.crop_quad`)."""
FINE, COARSE = 1.2, 4.0
"""Deviations, in pixels of that square, of the two blurs whose difference is compared: strokes of 3 to 12 pixels."""
LIKENESS_LIMIT = 0.9
"""From here on a picture counts as the original. Of 29 faces, new ones reach 0.84; the originals, pasted again, have
0.98 at least as they are or grey, 0.95 darkened to a third, 0.96 in the middle when only blurred to 32 pixels
(benchmarks/likeness.json). What is blurred, turned or shifted further is for the recognisers.
"""
FAINT = 0.05
"""Mean square of strokes (about 1 where there are any) below which a window counts as if it had this."""
COARSE_BAND = 3.5, 9.0
"""The same for what is left of a face that is blurred to 16 pixels."""
COARSE_LIMIT = 0.95
"""Likeness in that band from which a drawn crop is the original: of 29 faces new ones reach 0.94, the originals
blurred to 16 pixels have 0.97 at least."""
WAYS = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))


def pixel_likeness(original: np.ndarray, changed: np.ndarray) -> float:
    """Highest correlation (0 to 1) of the original's features, or their negative, with any place of another crop.

    original, changed: aligned crops of the same place, uint8 [S, S, 3] each. Mirrored and turned copies of `changed`
    are looked at, too. A crop without any strokes (one colour) is like nothing: 0.
    """
    template = _strokes(original)[FEATURES]
    if not template.std() > 0:
        return 0.0
    strokes = _strokes(changed)
    return max(_best(template, _turned(strokes, *way)) for way in WAYS)


def is_copy(original: np.ndarray, drawn: np.ndarray) -> bool:
    """Whether a crop that is to be drawn is the original, or half of it: changed in light, blurred, mirrored or turned.

    original, drawn: aligned crops, uint8 [S, S, 3] each. Light, mask and edge disguise what is drawn, so it is compared
    as it was before: the originals of 29 faces then have 1.00 in all disguises of benchmarks/likeness.py but blurs,
    their halves 0.91 at least; new faces reach 0.77, and 0.86 in a half.
    """
    if not pixel_likeness(original, drawn) < LIKENESS_LIMIT:
        return True
    before, after = _strokes(original), _strokes(drawn)
    if not max(_best(before[half], after) for half in _halves()) < LIKENESS_LIMIT:
        return True
    before, after = (_strokes(crop, COARSE_BAND) for crop in (original, drawn))
    return not max(_best(before[FEATURES], _turned(after, *way)) for way in WAYS) < COARSE_LIMIT


def _halves() -> list[tuple[slice, slice]]:
    """The left, right, upper and lower half of the features."""
    rows, columns = FEATURES
    middle_row, middle_column = (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
    return [
        (rows, slice(columns.start, middle_column)),
        (rows, slice(middle_column, columns.stop)),
        (slice(rows.start, middle_row), columns),
        (slice(middle_row, rows.stop), columns),
    ]


def _best(template: np.ndarray, strokes: np.ndarray) -> float:
    wanted = template - template.mean()
    height, width = wanted.shape
    shared = cv2.matchTemplate(strokes, wanted, cv2.TM_CCORR)
    # Windows of one colour have no strokes: OpenCV's own normalization makes 1 of their 0 / 0.
    there = np.maximum(
        _window_sums(strokes**2, height, width) - _window_sums(strokes, height, width) ** 2 / wanted.size, 0
    )
    lengths = np.sqrt(np.maximum(there, FAINT * wanted.size) * (wanted**2).sum())
    # A negative shows all that the picture does.
    return float(np.abs(shared / lengths).clip(0, 1).max())


def _window_sums(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sum over every window [height, width] of an array."""
    total = np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums: np.ndarray = (
        total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    )
    return sums


def _turned(strokes: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    turned = np.rot90(strokes, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def _strokes(crop: np.ndarray, band_of: tuple[float, float] = (FINE, COARSE)) -> np.ndarray:
    """float32 [SIDE, SIDE]: luminance in the band of strokes, with the same contrast everywhere."""
    fine, coarse = band_of
    grey = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    band = cv2.GaussianBlur(small, (0, 0), fine) - cv2.GaussianBlur(small, (0, 0), coarse)
    return band / (np.sqrt(cv2.GaussianBlur(band * band, (0, 0), coarse)) + 0.5)
