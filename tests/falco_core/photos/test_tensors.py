import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from falco_core.photos.tensors import to_pixels, to_tensor


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.just(3))))
@settings(max_examples=40, deadline=None)
def test_pixels_come_back(pixels: np.ndarray) -> None:
    tensor = to_tensor(pixels)
    assert tensor.min() >= -1
    assert tensor.max() <= 1
    np.testing.assert_array_equal(to_pixels(tensor), pixels)


def test_values_beyond_the_range_are_clamped_not_stretched() -> None:
    images = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_pixels(images)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]
