"""The objective's parts, each computed by itself: together they are the gradient of the whole."""

from pathlib import Path

import pytest
import torch

from falco_core.anonymize.objective import Objective
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.parallel import one_thread, side_by_side
from falco_core.project.params import AnonymizeParams, SolverParams
from tests.falco_core.anonymize.test_solver import problem


@pytest.fixture(scope="module")
def bundle(tiny_bundle_folder: Path) -> Bundle:
    return load_bundle(tiny_bundle_folder)


def objective(bundle: Bundle, crops: torch.Tensor, masks: torch.Tensor | None) -> Objective:
    return Objective(bundle, AnonymizeParams(margin=0.1), SolverParams(), crops=crops, masks=masks)


def half_masks(count: int, side: int) -> torch.Tensor:
    masks = torch.zeros(count, 1, side, side)
    masks[..., : side // 2] = 0.7
    return masks


@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_is_that_of_the_whole(bundle: Bundle, masked: bool) -> None:
    crops, side = problem(bundle, 3).crops, bundle.spec.resolution
    own = objective(bundle, crops, half_masks(3, side) if masked else None)
    images = crops.flip(0) * 0.8
    measured, gradient = own.downhill(images)
    leaf = images.clone().requires_grad_(True)
    # Without its decorator `measure` is the same arithmetic with a way back.
    whole = Objective.measure.__wrapped__(own, leaf)  # type: ignore[attr-defined]
    torch.testing.assert_close(gradient, torch.autograd.grad(whole.total.sum(), [leaf])[0], atol=1e-7, rtol=1e-5)
    torch.testing.assert_close(measured.total, whole.total.detach())
    torch.testing.assert_close(measured.total, 10.0 * measured.identity + 0.1 * measured.attribute)
    if masked:
        assert bool((gradient[..., side // 2 :] == 0).all())


def test_an_image_that_is_the_original_is_at_its_margin_and_no_further(bundle: Bundle) -> None:
    crops = problem(bundle, 2).crops
    measured = objective(bundle, crops, None).measure(crops)
    torch.testing.assert_close(measured.cosine, torch.ones(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(measured.identity, torch.full((2,), 0.9), atol=1e-5, rtol=0)
    assert torch.equal(measured.attribute, torch.zeros(2))


def test_side_by_side_or_not_no_bit_is_another(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    crops = problem(bundle, 2).crops
    own = objective(bundle, crops, None)
    with one_thread():
        in_order = own.downhill(crops.flip(0))
    (at_once,) = side_by_side(lambda images: own.downhill(images), [crops.flip(0)])
    assert torch.equal(in_order[1], at_once[1])
    assert torch.equal(in_order[0].total, at_once[0].total)
