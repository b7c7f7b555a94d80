"""`solver.reproduce_released_code`: the authors' loop, number for number, with full-size networks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from falco_core.anonymize.solver import Losses, Problem, Solver
from falco_core.bundles.bundle import BUILDERS, Bundle, load_bundle
from falco_core.bundles.official.convert import convert_file
from falco_core.project.params import AnonymizeParams, SolverParams
from tests import official

LAYERS = slice(3, 8)


def network(name: str, content: object, folder: Path) -> Any:
    path = folder / "checkpoint.pth"
    torch.save(content, path)
    (made, *_) = convert_file(name, path)
    module = BUILDERS[name](made.config)
    module.load_state_dict(made.weights)
    return module.eval().requires_grad_(False)


@pytest.fixture
def full_size(tiny_bundle_folder: Path, tmp_path: Path) -> Bundle:
    bundle = load_bundle(tiny_bundle_folder)
    return replace(
        bundle,
        spec=bundle.spec.model_copy(update={"optimize_layers": (LAYERS.start, LAYERS.stop)}),
        generator=network("generator", official.genforce(official.tensors("stylegan2_ffhq1024")), tmp_path),
        recogniser=network("recogniser", official.tensors("arcface_ir_se50"), tmp_path),
        farl=network("farl", official.farl(official.tensors("farl_visual")), tmp_path),
    )


def test_four_steps_are_those_of_the_released_code(full_size: Bundle) -> None:
    expected = np.load(official.GOLDEN / "released_code_4_steps.npz")
    original = official.uniform("orig8", (1, 3, 8, 8), 0.25, 0.5).clamp(0, 1)
    original = functional.interpolate(original, size=(1024, 1024), mode="bilinear", align_corners=False)
    problem = Problem(
        crops=original * 2.0 - 1.0,
        real=official.uniform("real_code", (1, 18, 512)),
        fake=official.uniform("fake_code", (1, 18, 512)),
    )
    seen: list[Losses] = []
    solver = Solver(full_size, AnonymizeParams(steps=4, margin=0.0), SolverParams(reproduce_released_code=True))
    outcome = solver.solve(problem, progress=lambda _, losses: seen.append(losses))
    losses = np.array([[float(each.identity), float(each.attribute), float(each.total)] for each in seen])
    print(f"losses: {np.abs(losses / expected['losses'] - 1).max():.1e} relative")
    moved = np.abs(outcome.codes[:, LAYERS].numpy() - expected["optimised_layers_3_to_7"]).max()
    print(f"optimized layers: {moved:.1e} absolute")
    np.testing.assert_allclose(losses, expected["losses"], rtol=1e-3)
    np.testing.assert_allclose(outcome.codes[:, LAYERS].numpy(), expected["optimised_layers_3_to_7"], atol=1e-3)
    assert torch.equal(outcome.codes[:, :3], problem.real[:, :3])
    assert torch.equal(outcome.codes[:, 8:], problem.real[:, 8:])
