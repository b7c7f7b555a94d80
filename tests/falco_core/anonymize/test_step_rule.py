"""A bundle's step rule: Nesterov's Adam along half a cosine, written out once more, from the fake and from a start."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from falco_core.anonymize.losses import attribute_preservation_loss, identity_obfuscation_loss
from falco_core.anonymize.solver import Problem, Solver
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.bundles.save import add_start
from falco_core.networks.start import Start
from falco_core.project.params import AnonymizeParams
from falco_rendered.train.start import start_config
from tests.falco_core.anonymize.test_solver import problem
from tests.falco_core.anonymize.test_start import with_rule

STEPS, RATE, BETAS = 6, 0.2, (0.6, 0.9)


def ruled(folder: Path, source: Path, **changes: Any) -> Bundle:
    return load_bundle(with_rule(folder, source, steps=STEPS, learning_rate=RATE, betas=list(BETAS), **changes))


def written_out(bundle: Bundle, params: AnonymizeParams, given: Problem, middle: torch.Tensor) -> torch.Tensor:
    """The codes [N, L, D] after the rule's steps from `middle` [N, M, D]."""
    first, last = bundle.spec.optimize_layers
    assert params.learning_rate is None
    with torch.no_grad():
        identity, tokens = bundle.recogniser(given.crops), bundle.farl.tokens(given.crops)
    momentum, spread, product = torch.zeros_like(middle), torch.zeros_like(middle), 1.0
    for step in range(1, STEPS + 1):
        variable = middle.clone().requires_grad_(True)
        images = bundle.generator.synthesize(torch.cat([given.real[:, :first], variable, given.real[:, last:]], dim=1))
        away = identity_obfuscation_loss(generated=bundle.recogniser(images), original=identity, margin=params.margin)
        alike = attribute_preservation_loss(generated=bundle.farl.tokens(images), original=tokens)
        (gradient,) = torch.autograd.grad((params.lambda_id * away + params.lambda_attr * alike).sum(), [variable])
        # Dozat, "Incorporating Nesterov momentum into Adam", 2016, with its schedule of momenta.
        now, after = (BETAS[0] * (1 - 0.5 * 0.96 ** (k * 0.004)) for k in (step, step + 1))
        product *= now
        momentum = BETAS[0] * momentum + (1 - BETAS[0]) * gradient
        spread = BETAS[1] * spread + (1 - BETAS[1]) * gradient**2
        ahead = (1 - now) / (1 - product) * gradient + after / (1 - product * after) * momentum
        rate = RATE * (0.5 + 0.5 * math.cos(math.pi * (step - 1) / STEPS))
        middle = middle - rate * ahead / ((spread / (1 - BETAS[1] ** step)).sqrt() + 1e-8)
    return torch.cat([given.real[:, :first], middle, given.real[:, last:]], dim=1)


@pytest.mark.parametrize("from_start", [False, True])
def test_the_rules_steps_are_those_written_out(from_start: bool, tmp_path: Path, tiny_bundle_folder: Path) -> None:
    folder = tmp_path / "bundle"
    bundle, params = ruled(folder, tiny_bundle_folder), AnonymizeParams(margin=0.0)
    given = problem(bundle, 3)
    first, last = bundle.spec.optimize_layers
    middle = given.fake[:, first:last]
    if from_start:
        start = Start(start_config(bundle))
        torch.nn.init.normal_(start.output.weight, std=0.05)
        add_start(folder, start, steps=STEPS)
        bundle = load_bundle(folder)
        assert bundle.start is not None
        with torch.no_grad():
            identity = bundle.recogniser(given.crops)
            middle = bundle.start(real=given.real, fake=middle, identity=identity, margin=params.margin)
        assert not torch.allclose(middle, given.fake[:, first:last], atol=1e-2)
    found = Solver(bundle, params).solve(given)
    assert found.steps == STEPS
    torch.testing.assert_close(found.codes, written_out(bundle, params, given, middle), atol=2e-3, rtol=0)


def test_a_rule_is_for_its_space_and_another_space_gets_the_published_schedule(
    tmp_path: Path, tiny_bundle_folder: Path
) -> None:
    in_s = ruled(tmp_path / "s", tiny_bundle_folder, space="s")
    in_w = ruled(tmp_path / "w", tiny_bundle_folder)
    given = problem(in_w, 2)

    def codes(bundle: Bundle, **changes: Any) -> torch.Tensor:
        return Solver(bundle, AnonymizeParams(**changes)).solve(given).codes

    assert torch.equal(codes(in_s), codes(in_s, space="s"))
    assert codes(in_s).dim() == 2, "styles"
    assert torch.equal(codes(in_w), codes(in_w, space="w+"))
    assert torch.equal(codes(in_s, space="w+"), codes(in_w, steps=50))
    assert torch.equal(codes(in_w, space="s"), codes(in_s, space="s", steps=50))
    assert not torch.equal(codes(in_w), codes(in_w, learning_rate=RATE / 2))
