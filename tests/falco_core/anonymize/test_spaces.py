from pathlib import Path

import pytest
import torch

from falco_core.anonymize.solver import Solver
from falco_core.anonymize.spaces import Space, moving
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.project.params import AnonymizeParams
from tests.falco_core.anonymize.test_solver import part, problem

SPACES: tuple[Space, ...] = ("w+", "s")


@pytest.fixture(scope="module")
def bundle(tiny_bundle_folder: Path) -> Bundle:
    return load_bundle(tiny_bundle_folder)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("first", "last"), [(3, 6), (0, 8), (2, 3), (7, 8)])
def test_both_spaces_start_at_the_picture_of_the_mixed_code(
    bundle: Bundle, space: Space, first: int, last: int
) -> None:
    given, generator = problem(bundle, 2), bundle.generator
    mixed = given.real.clone()
    mixed[:, first:last] = given.fake[:, first:last]
    faces = moving(space, generator, real=given.real, middle=given.fake[:, first:last], first=first)
    expected = generator.synthesize(mixed)
    with torch.no_grad():
        torch.testing.assert_close(generator.synthesize_styles(faces.styles()), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(generator.draw(faces.codes()), expected, atol=1e-5, rtol=0)


def test_in_s_the_styles_of_the_optimized_layers_move_and_no_others(bundle: Bundle) -> None:
    given, generator = problem(bundle, 2), bundle.generator
    first, last = bundle.spec.optimize_layers
    faces = moving("s", generator, real=given.real, middle=given.fake[:, first:last], first=first)
    before, number = faces.styles(), len(bundle.generator.layers)
    faces.variable = faces.variable.detach() + 1.0
    after = faces.styles()
    moved = [not torch.equal(*pair) for pair in zip(before.layers, after.layers, strict=True)]
    coloured = [not torch.equal(*pair) for pair in zip(before.to_rgb, after.to_rgb, strict=True)]
    assert moved == [first <= layer < last for layer in range(number)]
    assert coloured == [first <= 2 * layer + 1 < last for layer in range(len(before.to_rgb))]


@pytest.mark.parametrize("space", SPACES)
def test_what_is_kept_draws_what_came_out(bundle: Bundle, space: Space) -> None:
    outcome = Solver(bundle, AnonymizeParams(steps=3, space=space)).solve(problem(bundle, 2))
    with torch.no_grad():
        torch.testing.assert_close(bundle.generator.draw(outcome.codes), outcome.images, atol=1e-5, rtol=0)


def test_in_s_the_objective_falls_and_a_face_is_the_same_alone(bundle: Bundle) -> None:
    totals: list[float] = []
    whole = problem(bundle, 5)
    solver = Solver(bundle, AnonymizeParams(steps=30, learning_rate=0.05, margin=0.0, space="s"))
    together = solver.solve(whole, progress=lambda _, losses: totals.append(float(losses.total.mean())))
    assert totals[-1] < totals[0]
    for chosen in ([0], [4], [3, 1, 2]):
        assert torch.equal(solver.solve(part(whole, chosen)).images, together.images[chosen])
