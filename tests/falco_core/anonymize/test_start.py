"""A bundle's start: where the solver begins with it, how many steps it takes, and what does not fit is refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from falco_core.anonymize.solver import Solver
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.bundles.catalogue import load_spec
from falco_core.bundles.save import add_start
from falco_core.bundles.tiny import make_random_bundle
from falco_core.errors import BundleError
from falco_core.networks.config import StartConfig
from falco_core.networks.start import Start
from falco_core.project.params import AnonymizeParams
from falco_core.reasons import Cause
from falco_rendered.train.encoder import w_spread
from falco_rendered.train.start import start_config, train_start
from tests.falco_core.anonymize.test_solver import problem

RULE = {"steps": 5, "learning_rate": 0.1, "betas": [0.7, 0.9]}


def with_rule(folder: Path, source: Path, **changes: Any) -> Path:
    """A copy of a bundle with RULE as its step rule, but for the changes."""
    shutil.copytree(source, folder)
    yaml, path = YAML(), folder / "bundle.yaml"
    document = yaml.load(path)
    document["step_rule"] = {**RULE, **changes}
    yaml.dump(document, path)
    return folder


@pytest.fixture
def folder(tmp_path: Path, tiny_bundle_folder: Path) -> Path:
    return with_rule(tmp_path / "bundle", tiny_bundle_folder)


def started(folder: Path, *, push: float) -> Bundle:
    """A bundle whose start adds `push` to every entry."""
    start = Start(start_config(load_bundle(folder)))
    with torch.no_grad():
        start.output.bias.fill_(push)
    add_start(folder, start, steps=2)
    return load_bundle(folder)


def test_an_unfitted_start_is_the_fakes_own_layers() -> None:
    torch.manual_seed(0)
    start = Start(StartConfig(num_layers=8, moved=5, w_dim=6, identity=4, hidden=16, blocks=1))
    real, fake, identity = torch.randn(2, 8, 6), torch.randn(2, 5, 6), torch.randn(2, 4)
    assert torch.equal(start(real=real, fake=fake, identity=identity, margin=-0.2), fake)


def test_margins_may_be_one_or_one_for_each_face() -> None:
    torch.manual_seed(0)
    start = Start(StartConfig(num_layers=8, moved=5, w_dim=6, identity=4, hidden=16, blocks=1))
    torch.nn.init.normal_(start.output.weight)
    given = {"real": torch.randn(2, 8, 6), "fake": torch.randn(2, 5, 6), "identity": torch.randn(2, 4)}
    one = start(**given, margin=-0.2)
    assert torch.equal(one, start(**given, margin=torch.tensor([-0.2, -0.2])))
    assert not torch.equal(one, start(**given, margin=torch.tensor([-0.2, 0.5])))


def test_the_solver_begins_at_the_start_and_takes_its_steps(folder: Path) -> None:
    plain = load_bundle(folder)
    given = problem(plain, 2)
    assert Solver(plain, AnonymizeParams()).solve(given).steps == 5
    begun = Solver(started(folder, push=0.5), AnonymizeParams()).solve(given)
    assert begun.steps == 2
    assert not torch.equal(begun.cosine_start, Solver(plain, AnonymizeParams()).solve(given).cosine_start)


def test_a_start_that_does_nothing_begins_at_the_fake(folder: Path) -> None:
    plain = load_bundle(folder)
    given = problem(plain, 2)
    expected = Solver(plain, AnonymizeParams()).solve(given).cosine_start
    assert torch.equal(Solver(started(folder, push=0.0), AnonymizeParams()).solve(given).cosine_start, expected)


def test_other_layers_and_the_published_schedule_begin_at_the_fake(folder: Path) -> None:
    plain = load_bundle(folder)
    given, bundle = problem(plain, 2), started(folder, push=0.5)
    first, last = bundle.spec.optimize_layers
    for params, layers, steps in ((AnonymizeParams(), (first - 1, last), 5), (AnonymizeParams(steps=3), None, 3)):
        ours, theirs = (Solver(each, params, layers=layers).solve(given) for each in (bundle, plain))
        assert ours.steps == steps
        assert torch.equal(ours.codes, theirs.codes)


def test_a_start_that_is_no_number_is_an_outcome(folder: Path) -> None:
    bundle = started(folder, push=0.0)
    assert bundle.start is not None
    bundle.start.output.bias.fill_(float("nan"))
    assert Solver(bundle, AnonymizeParams()).solve(problem(bundle, 2)).causes == [Cause.NOT_FINITE] * 2


@pytest.mark.parametrize("changed", [{"moved": 3}, {"num_layers": 7}, {"w_dim": 15}, {"identity": 8}])
def test_a_start_for_other_networks_is_refused(folder: Path, changed: dict[str, int]) -> None:
    sizes = start_config(load_bundle(folder)).model_copy(update=changed)
    with pytest.raises(BundleError, match="fitted for other"):
        add_start(folder, Start(sizes), steps=2)
    assert load_spec(folder).networks.start is None


def test_a_start_that_is_refused_leaves_the_one_that_is_there(folder: Path) -> None:
    bundle = started(folder, push=0.5)
    sizes = start_config(bundle).model_copy(update={"identity": 8})
    with pytest.raises(BundleError, match="fitted for other"):
        add_start(folder, Start(sizes), steps=2)
    kept = load_bundle(folder).start
    assert kept is not None
    assert bool((kept.output.bias == 0.5).all())


def test_a_start_without_its_steps_and_a_bundle_without_a_rule_are_refused(
    folder: Path, tmp_path: Path, tiny_bundle_folder: Path
) -> None:
    started(folder, push=0.0)
    yaml, path = YAML(), folder / "bundle.yaml"
    document = yaml.load(path)
    del document["step_rule"]["steps_from_start"]
    yaml.dump(document, path)
    with pytest.raises(BundleError, match="steps_from_start"):
        load_spec(folder)
    other = shutil.copytree(tiny_bundle_folder, tmp_path / "other")
    with pytest.raises(BundleError, match="step_rule"):
        add_start(other, Start(start_config(load_bundle(other))), steps=2)


def test_the_recipe_moves_the_start_and_goes_on_after_a_stop(folder: Path, tmp_path: Path) -> None:
    bundle = load_bundle(folder)
    made = train_start(bundle, tmp_path / "work", minutes=0.02, batch=2)
    assert float(made.output.weight.detach().abs().max()) > 0
    again = train_start(bundle, tmp_path / "work", minutes=0.02, batch=2)
    for ours, theirs in zip(made.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_recipe_begins_anew_for_other_networks(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_random_bundle(other, seed=1)
    bundles = [load_bundle(each) for each in (folder, other)]
    for bundle in bundles:
        made = train_start(bundle, tmp_path / "work", minutes=0.02, batch=2)
        assert torch.equal(made.spread, w_spread(bundle.generator))
        assert float(made.output.weight.abs().max()) > 0
    assert not torch.equal(*(w_spread(bundle.generator) for bundle in bundles))
