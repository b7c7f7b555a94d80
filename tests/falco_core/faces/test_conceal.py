import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.faces.conceal import CELLS, Concealment, conceal


def noise(height: int = 120, width: int = 160) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def colours_across(pixels: np.ndarray, row: int, columns: slice) -> int:
    """How many different cells a row of pixels crosses."""
    line = pixels[row, columns].astype(int)
    return 1 + int((np.abs(np.diff(line, axis=0)).max(axis=1) > 0).sum())


def test_a_mosaic_has_at_most_six_cells_across_the_head() -> None:
    pixels = noise()
    found = conceal(pixels, np.array([50.0, 30.0, 100.0, 90.0]), Concealment.MOSAIC)
    columns = np.flatnonzero(found.region[60])
    assert colours_across(found.pixels, 60, slice(columns[0], columns[-1] + 1)) <= CELLS
    assert columns[-1] - columns[0] >= 1.4 * 50


def test_one_colour_is_one_colour() -> None:
    found = conceal(noise(), np.array([50.0, 30.0, 100.0, 90.0]), Concealment.SOLID)
    assert len(np.unique(found.pixels[found.region], axis=0)) == 1
    assert found.region[30:90, 50:100].all()


@given(
    left=st.integers(-60, 150),
    top=st.integers(-60, 110),
    width=st.integers(1, 120),
    height=st.integers(1, 120),
    how=st.sampled_from([Concealment.MOSAIC, Concealment.SOLID]),
)
@settings(max_examples=60, deadline=None)
def test_the_whole_box_is_drawn_over_and_nothing_outside_changes(
    left: int, top: int, width: int, height: int, how: Concealment
) -> None:
    pixels = noise()
    found = conceal(pixels, np.array([left, top, left + width, top + height], dtype=float), how)
    inside = np.zeros(pixels.shape[:2], dtype=bool)
    inside[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True
    # The corners of a box lie outside of a head.
    middle = np.zeros_like(inside)
    inset = (width // 6, height // 6)
    middle[
        max(top + inset[1], 0) : max(top + height - inset[1], 0),
        max(left + inset[0], 0) : max(left + width - inset[0], 0),
    ] = True
    assert found.region[middle & inside].all()
    assert np.array_equal(found.pixels[~found.region], pixels[~found.region])


def test_a_tiny_face_gets_fewer_cells_not_smaller_ones() -> None:
    found = conceal(noise(), np.array([50.0, 50.0, 58.0, 60.0]), Concealment.MOSAIC)
    columns = np.flatnonzero(found.region[55])
    assert colours_across(found.pixels, 55, slice(columns[0], columns[-1] + 1)) <= len(columns) // 4


def test_nothing_of_the_old_detail_is_left() -> None:
    """Two pictures with equal means in every cell come out equal."""
    pixels, box = noise(), np.array([50.0, 30.0, 98.0, 90.0])
    first = conceal(pixels, box, Concealment.MOSAIC)
    again = conceal(first.pixels, box, Concealment.MOSAIC)
    assert np.array_equal(first.pixels, again.pixels)


def test_withholding_is_no_concealment() -> None:
    with pytest.raises(ValueError, match="withheld"):
        conceal(noise(), np.array([50.0, 30.0, 98.0, 90.0]), Concealment.WITHHOLD)
