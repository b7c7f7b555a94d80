from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from falco_core.anonymize.solver import Problem, Solver
from falco_core.anonymize.spaces import Space
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.bundles.tiny import make_random_bundle
from falco_core.project.params import AnonymizeParams, SolverParams
from falco_core.reasons import Cause


@pytest.fixture(scope="module")
def bundle(tiny_bundle_folder: Path) -> Bundle:
    return load_bundle(tiny_bundle_folder)


def problem(bundle: Bundle, count: int) -> Problem:
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(2 * count, bundle.generator.config.z_dim, generator=generator)
    with torch.no_grad():
        codes = bundle.generator.broadcast(bundle.generator.map(z))
        crops = bundle.generator.synthesize(codes[:count]).clamp(-1, 1)
    return Problem(crops=crops, real=codes[:count], fake=codes[count:])


def part(whole: Problem, chosen: list[int]) -> Problem:
    return Problem(crops=whole.crops[chosen], real=whole.real[chosen], fake=whole.fake[chosen])


def test_only_the_bundles_middle_layers_move(bundle: Bundle) -> None:
    given = problem(bundle, 2)
    outcome = Solver(bundle, AnonymizeParams(steps=3)).solve(given)
    first, last = bundle.spec.optimize_layers
    kept = [*range(first), *range(last, given.real.shape[1])]
    assert torch.equal(outcome.codes[:, kept], given.real[:, kept])
    assert not torch.equal(outcome.codes[:, first:last], given.fake[:, first:last])


def test_the_objective_falls(bundle: Bundle) -> None:
    totals: list[float] = []
    params = AnonymizeParams(steps=30, learning_rate=0.05, margin=0.0)
    Solver(bundle, params).solve(
        problem(bundle, 2), progress=lambda _, losses: totals.append(float(losses.total.mean()))
    )
    assert totals[-1] < totals[0]


def test_the_bundles_learning_rate_is_the_default(bundle: Bundle) -> None:
    given = problem(bundle, 1)
    named = AnonymizeParams(steps=2, learning_rate=bundle.spec.learning_rate)
    by_default = Solver(bundle, AnonymizeParams(steps=2)).solve(given)
    assert torch.equal(by_default.codes, Solver(bundle, named).solve(given).codes)
    other = AnonymizeParams(steps=2, learning_rate=bundle.spec.learning_rate / 2)
    assert not torch.equal(by_default.codes, Solver(bundle, other).solve(given).codes)


@pytest.mark.parametrize("name", ["random", "mini"])
def test_a_face_gets_the_same_to_the_bit_alone_and_in_any_batch(name: str, bundle: Bundle) -> None:
    chosen_bundle = bundle if name == "random" else load_bundle("mini")
    whole = problem(chosen_bundle, 5)
    solver = Solver(chosen_bundle, AnonymizeParams(steps=3))
    together = solver.solve(whole)
    for chosen in ([0], [4], [3, 1, 2], [4, 3, 2, 1, 0]):
        alone = solver.solve(part(whole, chosen))
        assert torch.equal(alone.codes, together.codes[chosen]), chosen
        assert torch.equal(alone.images, together.images[chosen]), chosen


@pytest.mark.parametrize("name", ["random", "mini"])
def test_a_face_gets_the_same_to_the_bit_with_any_number_of_threads(
    name: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen_bundle, before = bundle if name == "random" else load_bundle("mini"), torch.get_num_threads()
    whole, found = problem(chosen_bundle, 5), []
    for threads in (1, 2, 3, 8):
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        torch.set_num_threads(threads)
        found.append(Solver(chosen_bundle, AnonymizeParams(steps=3)).solve(whole))
    torch.set_num_threads(before)
    for other in found[1:]:
        assert torch.equal(other.codes, found[0].codes)
        assert torch.equal(other.images, found[0].images)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("space", ["w+", "s"])
def test_large_faces_get_the_same_to_the_bit_alone_with_every_core(
    space: Space, precision: Literal["float32", "bfloat16"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_random_bundle(tmp_path / "bundle", resolution=256)
    large = load_bundle(tmp_path / "bundle")
    whole = problem(large, 3)
    solver = Solver(large, AnonymizeParams(steps=3, space=space), SolverParams(precision=precision))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    together = solver.solve(whole)
    for threads in (1, 8):
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        alone = solver.solve(part(whole, [1]))
        assert torch.equal(alone.codes, together.codes[[1]]), threads
        assert torch.equal(alone.images, together.images[[1]]), threads


@pytest.mark.parametrize("forbidden", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("count", [2, 5])
def test_a_caller_without_gradients_gets_the_same(forbidden: Callable[[], Any], count: int, bundle: Bundle) -> None:
    given, solver = problem(bundle, count), Solver(bundle, AnonymizeParams(steps=2))
    with forbidden():
        found = solver.solve(problem(bundle, count))
    assert torch.equal(found.codes, solver.solve(given).codes)


def test_a_face_that_breaks_is_an_outcome_and_spares_the_others(bundle: Bundle) -> None:
    whole = problem(bundle, 3)
    broken = whole.real.clone()
    broken[1] = float("nan")
    solver = Solver(bundle, AnonymizeParams(steps=3, margin=1.0))
    outcome = solver.solve(Problem(crops=whole.crops, real=broken, fake=whole.fake))
    assert outcome.causes == [None, Cause.NOT_FINITE, None]
    assert torch.equal(outcome.codes[[0, 2]], solver.solve(part(whole, [0, 2])).codes)


def test_a_face_that_stays_too_similar_is_not_passed_on(bundle: Bundle) -> None:
    whole = problem(bundle, 2)
    unmoved = Problem(crops=whole.crops, real=whole.real, fake=whole.real)
    outcome = Solver(bundle, AnonymizeParams(steps=1, margin=-1.0, learning_rate=1e-6)).solve(unmoved)
    assert outcome.causes == [Cause.MARGIN_NOT_REACHED] * 2


def masked(given: Problem, masks: torch.Tensor) -> Problem:
    return replace(given, masks=masks)


def test_a_mask_over_everything_is_the_published_objective(bundle: Bundle) -> None:
    given, solver = problem(bundle, 2), Solver(bundle, AnonymizeParams(steps=4))
    side = bundle.spec.resolution
    whole = solver.solve(masked(given, torch.ones(2, 1, side, side)))
    torch.testing.assert_close(whole.codes, solver.solve(given).codes, atol=1e-5, rtol=0)


def test_behind_an_empty_mask_the_original_is_seen_and_nothing_moves(bundle: Bundle) -> None:
    given, side = problem(bundle, 2), bundle.spec.resolution
    outcome = Solver(bundle, AnonymizeParams(steps=3)).solve(masked(given, torch.zeros(2, 1, side, side)))
    torch.testing.assert_close(outcome.cosine, torch.ones(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(outcome.attribute_loss, torch.zeros(2), atol=1e-3, rtol=0)
    first, last = bundle.spec.optimize_layers
    assert torch.equal(outcome.codes[:, first:last], given.fake[:, first:last])
