from pathlib import Path

import numpy as np
import pytest
import torch

from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.faces.detect import Detection
from falco_core.judges.second_look import Limits, Originals, SecondLook
from falco_core.reasons import Reason
from falco_core.tensors import to_tensor

QUADS = [np.array([[x, 10.0], [x, 74.0], [x + 64, 74.0], [x + 64, 10.0]]) for x in (10.0, 110.0)]
LIMITS = Limits(recogniser=0.999, heldout=0.999)


class FixedDetector:
    """Finds what it is told to find."""

    def __init__(self, *centres: tuple[float, float]) -> None:
        self._centres = centres

    def detect(self, pixels: np.ndarray) -> list[Detection]:
        offsets = np.array([[-9, -9], [9, -9], [0, 0], [-7, 9], [7, 9]])
        return [Detection(np.zeros(4), offsets + centre, 0.9) for centre in self._centres]


@pytest.fixture(scope="module")
def bundle(tiny_bundle_folder: Path) -> Bundle:
    return load_bundle(tiny_bundle_folder)


def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (100, 200, 3)).astype(np.uint8)


def regions() -> list[np.ndarray]:
    both = []
    for quad in QUADS:
        region = np.zeros((100, 200), dtype=bool)
        left = int(quad[0, 0])
        region[10:74, left : left + 64] = True
        both.append(region)
    return both


def originals(bundle: Bundle, pixels: np.ndarray, *, opposite: bool = True) -> Originals:
    """Embeddings of the two crops, or their opposites: as far from them as can be."""
    crops = np.stack([pixels[10:74, 10:74], pixels[10:74, 110:174]])
    with torch.no_grad():
        images = torch.nn.functional.interpolate(to_tensor(crops), size=(32, 32), mode="bilinear", antialias=True)
        embed = (bundle.recogniser, bundle.heldout, bundle.farl.embed)
        return Originals(*((-1 if opposite else 1) * network(images).numpy() for network in embed))


def judge(bundle: Bundle, detector: FixedDetector, known: Originals, limits: Limits = LIMITS):  # type: ignore[no-untyped-def]
    look = SecondLook(bundle, detector, limits)  # type: ignore[arg-type]
    return look.judge(photo(), quads=QUADS, replaced=regions(), originals=known)


def test_strangers_in_the_replaced_places_may_go(bundle: Bundle) -> None:
    verdict = judge(bundle, FixedDetector((42, 42), (142, 42)), originals(bundle, photo()))
    assert verdict.reason is None
    assert [face.detected for face in verdict.faces] == [True, True]


def test_a_new_face_that_is_not_found_again_is_no_leak(bundle: Bundle) -> None:
    verdict = judge(bundle, FixedDetector((42, 42)), originals(bundle, photo()))
    assert verdict.reason is None
    assert [face.detected for face in verdict.faces] == [True, False]


@pytest.mark.parametrize("place", [(92, 42), (185, 90), (10, 42)])
def test_a_face_that_was_not_replaced_withholds_the_photo(bundle: Bundle, place: tuple[int, int]) -> None:
    verdict = judge(bundle, FixedDetector((42, 42), place), originals(bundle, photo()))
    assert verdict.reason is Reason.LEFTOVER_FACE


def test_the_original_itself_is_recognised(bundle: Bundle) -> None:
    verdict = judge(bundle, FixedDetector(), originals(bundle, photo(), opposite=False), Limits(2.0, 0.9))
    assert verdict.reason is Reason.STILL_RECOGNISABLE
    verdict = judge(bundle, FixedDetector(), originals(bundle, photo(), opposite=False), Limits(0.9, 2.0))
    assert verdict.reason is Reason.STILL_RECOGNISABLE


@pytest.mark.parametrize("face", [0, 1])
@pytest.mark.parametrize("network", ["recogniser", "heldout"])
def test_a_similarity_that_is_not_a_number_withholds_the_photo(bundle: Bundle, face: int, network: str) -> None:
    known = originals(bundle, photo())
    getattr(known, network)[face] = np.nan
    assert judge(bundle, FixedDetector(), known).reason is Reason.STILL_RECOGNISABLE
