"""Step rules against the published schedule: how far they get, from the fake and from the bundle's start.

    python -m benchmarks.steps --json benchmarks/steps.json

The faces of benchmarks/solver.py, the objective on the composite. `mean_excess`, `share_worse` are against 50 steps of
the published schedule; `known` is the share of the new faces that the held-out recogniser takes for their originals.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.solver import WORSE, make_problem, objective_of
from falco_core.anonymize.losses import cosine
from falco_core.anonymize.solver import Outcome, Problem, Solver
from falco_core.anonymize.spaces import Space
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.bundles.spec import StepRule
from falco_core.project.params import AnonymizeParams

RULES: tuple[tuple[Space, bool, int, float, tuple[float, float]], ...] = (
    ("w+", False, 16, 0.35, (0.7, 0.9)),
    ("w+", False, 18, 0.4, (0.7, 0.9)),
    ("w+", True, 16, 0.4, (0.7, 0.9)),
    ("w+", True, 12, 0.4, (0.7, 0.9)),
    ("s", False, 16, 0.2, (0.7, 0.9)),
    ("s", False, 11, 0.25, (0.7, 0.9)),
    ("s", False, 10, 0.25, (0.7, 0.9)),
    ("s", True, 9, 0.25, (0.7, 0.9)),
    ("s", True, 8, 0.25, (0.7, 0.9)),
    ("s", True, 7, 0.25, (0.7, 0.9)),
    ("s", True, 6, 0.25, (0.7, 0.9)),
)
"""Space, whether from the start, steps, rate, betas."""


@dataclass(frozen=True)
class Reached:
    """Where one rule gets."""

    space: str
    begins_at: str
    steps: int
    learning_rate: float
    betas: tuple[float, float]
    mean_objective: float
    mean_excess: float
    share_worse: float
    largest_excess: float
    known: float
    attribute_loss: float


def compare(bundle: Bundle, problem: Problem) -> Iterator[Reached]:
    """The published schedule first."""
    published = AnonymizeParams(steps=50)
    outcome = Solver(bundle, published).solve(problem)
    base = objective_of(bundle, published, problem, outcome.codes)
    rate = bundle.spec.learning_rate
    yield _reached(bundle, problem, outcome, base, base, StepRule(steps=50, learning_rate=rate), "fake")
    for space, start, steps, rate, betas in RULES:
        if start and bundle.start is None:
            continue
        rule = StepRule(space=space, steps=steps, learning_rate=rate, betas=betas, steps_from_start=steps)
        spec = bundle.spec.model_copy(update={"step_rule": rule})
        changed = replace(bundle, spec=spec, start=bundle.start if start else None)
        outcome = Solver(changed, AnonymizeParams()).solve(problem)
        objective = objective_of(bundle, AnonymizeParams(), problem, outcome.codes)
        yield _reached(bundle, problem, outcome, objective, base, rule, "start" if start else "fake")


@torch.no_grad()
def _reached(
    bundle: Bundle, problem: Problem, outcome: Outcome, objective: Tensor, base: Tensor, rule: StepRule, begins_at: str
) -> Reached:
    excess = objective / base - 1
    masks = torch.ones(()) if problem.masks is None else problem.masks
    seen = problem.crops + masks * (outcome.images - problem.crops)
    likeness = cosine(bundle.heldout(seen), bundle.heldout(problem.crops))
    return Reached(
        space=rule.space,
        begins_at=begins_at,
        steps=rule.steps,
        learning_rate=rule.learning_rate,
        betas=rule.betas,
        mean_objective=round(float(objective.mean()), 3),
        mean_excess=round(float(objective.mean() / base.mean() - 1), 3),
        share_worse=round(float((excess > WORSE).float().mean()), 3),
        largest_excess=round(float(excess.max()), 3),
        known=round(float((likeness >= bundle.spec.thresholds.heldout).float().mean()), 3),
        attribute_loss=round(float(outcome.attribute_loss.mean()), 2),
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="mini")
    parser.add_argument("--faces", type=int, default=64)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    found: list[Reached] = []
    for reached in compare(bundle, make_problem(bundle, options.faces)):
        print(reached, flush=True)
        found.append(reached)
    if options.json:
        result = {"bundle": options.bundle, "faces": options.faces, "rules": [asdict(each) for each in found]}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
