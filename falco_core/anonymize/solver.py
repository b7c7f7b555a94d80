"""The latent optimization: middle layers of each W+ code move until the face is somebody else's."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, MultiStepLR

from falco_core.anonymize.objective import Objective
from falco_core.anonymize.spaces import Space, moving
from falco_core.bundles.bundle import Bundle
from falco_core.bundles.spec import StepRule
from falco_core.networks.shapes import in_shape
from falco_core.project.params import AnonymizeParams, SolverParams
from falco_core.reasons import Cause

PUBLISHED_STEPS = 50
DECAY_AT = (0.75, 0.9)
DECAY = 0.8
RELEASED_LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Losses:
    """The objective of each face of a batch and its two unweighted parts [N]."""

    identity: Tensor
    attribute: Tensor
    total: Tensor


Progress = Callable[[int, Losses], None]


@dataclass(frozen=True)
class Problem:
    """A batch of faces to anonymize.

    crops: [N, 3, R, R] originals in [-1, 1]; real: [N, L, D] their W+ codes; fake: [N, L, D] their paired fakes';
    masks: [N, 1, R, R] in 0..1, what of each crop will be replaced: then both losses look at the composite, the
    generated crop in the original's surroundings, as it will be released; None: at the generated crop (as published).
    """

    crops: Tensor
    real: Tensor
    fake: Tensor
    masks: Tensor | None = None

    def rows(self, rows: Tensor) -> "Problem":
        """The faces with these numbers [K]."""
        masks = None if self.masks is None else self.masks[rows]
        return Problem(self.crops[rows], self.real[rows], self.fake[rows], masks)


@dataclass(frozen=True)
class Outcome:
    """What became of each face of a batch.

    codes: [N, L, D] of W+, or [N, S] of S; images: [N, 3, R, R] in [-1, 1]; the others [N]. A face whose `causes` entry
    is not None was not anonymized and must not be used.
    """

    codes: Tensor
    images: Tensor
    cosine_start: Tensor
    cosine: Tensor
    attribute_loss: Tensor
    steps: int
    causes: list[Cause | None]

    @classmethod
    def joined(cls, batches: Sequence["Outcome"]) -> "Outcome":
        """The outcomes of one or more batches as one."""
        return cls(
            codes=torch.cat([batch.codes for batch in batches]),
            images=torch.cat([batch.images for batch in batches]),
            cosine_start=torch.cat([batch.cosine_start for batch in batches]),
            cosine=torch.cat([batch.cosine for batch in batches]),
            attribute_loss=torch.cat([batch.attribute_loss for batch in batches]),
            steps=batches[0].steps,
            causes=[cause for batch in batches for cause in batch.causes],
        )


class Solver:
    """Minimizes the `Objective` over a range of layers.

    Adam is elementwise and the loss a sum over faces; in batches of one shape (networks.shapes) a face's result does
    not depend on its batch, to the bit.
    """

    def __init__(
        self,
        bundle: Bundle,
        params: AnonymizeParams,
        settings: SolverParams | None = None,
        *,
        layers: tuple[int, int] | None = None,
    ) -> None:
        """`layers` [first, last) are taken from the fake and optimized; None: the bundle's."""
        self._bundle = bundle
        self._params = params
        self._settings = settings or SolverParams()
        self._released = self._settings.reproduce_released_code
        self._low_precision = self._settings.precision == "bfloat16"
        self._rule = None if self._released else _rule_for(params, bundle.spec.step_rule)
        self._first, self._last = bundle.spec.optimize_layers if layers is None else layers
        # A start was fitted for the bundle's own layers.
        fits = (self._first, self._last) == bundle.spec.optimize_layers
        self._start = bundle.start if self._rule is not None and fits else None
        self._steps = params.steps or PUBLISHED_STEPS
        self._space: Space = params.space or "w+"
        if self._rule is not None:
            self._steps, self._space = self._rule.steps, self._rule.space
            if self._start is not None and self._rule.steps_from_start is not None:
                self._steps = self._rule.steps_from_start

    def solve(self, problem: Problem, *, progress: Progress | None = None) -> Outcome:
        """Take all steps; `progress(step, losses before that step)` is told each step of each batch, by several threads
        where batches are side by side.
        """
        batches = in_shape(
            len(problem.real),
            self._bundle.generator.config.resolution,
            problem.real.device,
            lambda rows, count: self._solve_batch(problem, rows, count, progress),
        )
        return Outcome.joined(batches)

    # The caller may have forbidden gradients for the thread that he is in.
    @torch.inference_mode(False)
    @torch.enable_grad()
    def _solve_batch(self, whole: Problem, rows: Tensor, count: int, progress: Progress | None) -> Outcome:
        """Of a batch of these rows, whose first `count` faces are asked for."""
        problem, bundle = whole.rows(rows), self._bundle
        objective = Objective(bundle, self._params, self._settings, crops=problem.crops, masks=problem.masks)
        middle = self._started(problem, objective.identity)
        faces = moving(self._space, bundle.generator, real=problem.real, middle=middle, first=self._first)
        optimizer, schedule = self._stepping(faces.variable)
        first_seen = torch.zeros(0)
        for step in range(self._steps):
            with torch.autocast(middle.device.type, torch.bfloat16, enabled=self._low_precision):
                images = bundle.generator.synthesize_styles(faces.styles()).float()
            measured, gradient = objective.downhill(images)
            first_seen = measured.cosine if step == 0 else first_seen
            (faces.variable.grad,) = torch.autograd.grad(images, [faces.variable], gradient)
            optimizer.step()
            schedule.step()
            if progress:
                parts = (measured.identity, measured.attribute, measured.total)
                progress(step + 1, Losses(*(part[:count] for part in parts)))
        with torch.no_grad():
            images, codes = bundle.generator.synthesize_styles(faces.styles()), faces.codes()
        end = objective.measure(images)
        judged = zip(codes[:count], images[:count], end.cosine[:count], strict=True)
        return Outcome(
            codes=codes[:count],
            images=images[:count],
            cosine_start=first_seen[:count],
            cosine=end.cosine[:count],
            attribute_loss=end.attribute[:count],
            steps=self._steps,
            causes=[self._judge(code, image, value) for code, image, value in judged],
        )

    @torch.no_grad()
    def _started(self, problem: Problem, identity: Tensor) -> Tensor:
        """Where the middle layers start [N, M, D]; identity: the originals' [N, E]."""
        fake = problem.fake[:, self._first : self._last].clone()
        if self._start is None:
            return fake
        started: Tensor = self._start(real=problem.real, fake=fake, identity=identity, margin=self._params.margin)
        return started

    def _stepping(self, variable: Tensor) -> tuple[Optimizer, LRScheduler]:
        """How `variable` moves, and how fast from step to step."""
        if (rule := self._rule) is not None:
            rate = self._params.learning_rate or rule.learning_rate
            own = torch.optim.NAdam([variable], lr=rate, betas=rule.betas)
            return own, LambdaLR(own, lambda step: 0.5 + 0.5 * math.cos(math.pi * step / self._steps))
        default = RELEASED_LEARNING_RATE if self._released else self._bundle.spec.learning_rate
        published = torch.optim.Adam([variable], lr=self._params.learning_rate or default)
        milestones = [int(share * self._steps) for share in DECAY_AT]
        return published, MultiStepLR(published, milestones, gamma=DECAY)

    def _judge(self, code: Tensor, image: Tensor, value: Tensor) -> Cause | None:
        finite = code.isfinite().all() and image.isfinite().all() and value.isfinite()
        if not finite:
            return Cause.NOT_FINITE
        if float(value) > self._params.margin + self._params.margin_tolerance:
            return Cause.MARGIN_NOT_REACHED
        return None


def _rule_for(params: AnonymizeParams, rule: StepRule | None) -> StepRule | None:
    """The bundle's rule, unless the user wants the published schedule's steps, or a space that it was not made for."""
    fits = rule is not None and params.steps is None and params.space in (None, rule.space)
    return rule if fits else None
