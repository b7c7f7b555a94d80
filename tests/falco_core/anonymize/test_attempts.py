"""Which fake is tried on which rung, and for which cause, with solvers, judges and faces whose answers are known."""

from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch

from falco_core.anonymize.attempts import Faces, Solved, anonymize
from falco_core.anonymize.rungs import Plan, Rung
from falco_core.anonymize.solver import Outcome, Problem, Solver
from falco_core.judges.plausible import Look, Quality
from falco_core.photos.tensors import to_tensor
from falco_core.reasons import Cause
from tests.falco_core.faces.portraits import aligned, head
from tests.falco_core.judges.helpers import StrokeJudge

SIZE = 64
LAYERS, NUM_LAYERS = (3, 8), 12
ORIGINAL = head(SIZE)
NEW = np.random.default_rng(3).integers(60, 230, (12, 12, 3)).astype(np.uint8)
NEW = np.asarray(cv2.resize(NEW, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC))
MASK = np.pad(np.ones((SIZE - 24, SIZE - 28), dtype=np.float32), ((14, 10), (14, 14)))


class Given:
    """A solver that hands out what it was given, a crop or a cause for each attempt, and keeps the rungs asked for."""

    def __init__(self, *answers: np.ndarray | Cause) -> None:
        self._answers = answers
        self.rungs: list[Rung] = []
        self.fakes: list[float] = []

    def __call__(self, rung: Rung) -> Solver:
        self.rungs.append(rung)
        return cast(Solver, self)

    def solve(self, problem: Problem) -> Outcome:
        answer = self._answers[min(len(self.rungs), len(self._answers)) - 1]
        self.fakes.append(float(problem.fake[0, 0, 0]))
        count = len(problem.crops)
        number = torch.zeros(count)
        shown = ORIGINAL if isinstance(answer, Cause) else answer
        cause = answer if isinstance(answer, Cause) else None
        images = to_tensor(np.stack([shown] * count))
        return Outcome(problem.fake, images, number, number, number, 7, [cause] * count)


class Says:
    """Finds every new face as plausible as it is told to."""

    def __init__(self, *values: float) -> None:
        self._values = list(values)

    def look(self, crop: np.ndarray, landmarks: np.ndarray) -> Look:
        return Look(1.0, None)

    def quality(self, *_: Any, **__: Any) -> Quality:
        value = self._values.pop(0) if len(self._values) > 1 else self._values[0]
        return Quality(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, value)


class Knows(StrokeJudge):
    """Knows whatever it is shown in certain turns of the picture (0: upright), by the place of its brightest corner."""

    def __init__(self, *turns: int) -> None:
        self._turns = turns

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        corners = [pixels[0, 0], pixels[-1, 0], pixels[-1, -1], pixels[0, -1]]
        turn = int(np.argmax([corner.sum() for corner in corners]))
        grey = bool((np.ptp(pixels.astype(int), axis=2) == 0).all())
        known = turn in self._turns and not grey
        return np.array([[1.0, 0.0] if known else [0.0, 1.0]] * len(landmarks), dtype=np.float32)


def marked(crop: np.ndarray) -> np.ndarray:
    """A crop with one bright corner, by which `Knows` tells its turns."""
    crop = crop.copy()
    crop[:3, :3] = 255
    return crop


def faces(count: int = 1, judges: int = 0) -> Faces:
    codes = torch.zeros(count, NUM_LAYERS, 4)
    fakes = torch.arange(5.0)[None, :, None, None].expand(count, 5, NUM_LAYERS, 4)
    return Faces(
        crops=np.stack([marked(ORIGINAL)] * count),
        masks=np.stack([MASK] * count),
        landmarks=np.stack([aligned(SIZE)] * count),
        codes=codes,
        fidelity=np.full(count, 0.8),
        references=[[np.array([1.0, 0.0], dtype=np.float32)] * judges] * count,
        fakes=np.tile(np.arange(100, 105), (count, 1)),
        fake_codes=fakes,
    )


def solve(solver: Given, plausible: Says, *judges: StrokeJudge, attempts: int = 3, min_quality: float = 0.5) -> Solved:
    plan = Plan(attempts, 0.0, LAYERS, NUM_LAYERS, min_quality=min_quality)
    return anonymize(faces(judges=len(judges)), solver, [judges], plausible, plan)[0]


def test_a_good_face_is_made_once() -> None:
    solved = solve(Given(NEW), Says(0.9))
    (only,) = solved.attempts
    assert (only.cause, only.fake, only.margin, only.first_layer, only.last_layer) == (None, 100, 0.0, 3, 8)
    assert only.quality == pytest.approx(0.9)
    np.testing.assert_array_equal(solved.crop, NEW)


def test_a_copy_of_the_original_is_tried_with_another_fake() -> None:
    solver = Given(ORIGINAL, NEW)
    solved = solve(solver, Says(0.9))
    assert [attempt.cause for attempt in solved.attempts] == [Cause.UNCHANGED, None]
    assert [attempt.fake for attempt in solved.attempts] == [100, 101]
    assert solver.fakes == [0.0, 1.0]
    np.testing.assert_array_equal(solved.crop, NEW)


def test_half_a_copy_in_another_light_is_one_too() -> None:
    half = np.where(np.arange(SIZE)[:, None, None] < 0.7 * SIZE, ORIGINAL // 2, NEW).astype(np.uint8)
    assert solve(Given(half, NEW), Says(0.9)).attempts[0].cause is Cause.UNCHANGED


def test_who_is_still_recognised_gets_a_lower_margin_then_more_layers() -> None:
    solver = Given(NEW)
    solved = solve(solver, Says(0.9), Knows(0), attempts=5)
    assert [attempt.cause for attempt in solved.attempts] == [Cause.STILL_RECOGNISABLE] * 5
    assert {attempt.recognised_by for attempt in solved.attempts} == {"rendered_heldout"}
    assert solver.rungs == [
        Rung(0.0, (3, 8)),
        Rung(-0.15, (3, 8)),
        Rung(-0.3, (2, 9)),
        Rung(-0.45, (1, 10)),
        Rung(-0.6, (1, 10)),
    ]
    assert [(attempt.first_layer, attempt.last_layer) for attempt in solved.attempts[1:3]] == [(3, 8), (2, 9)]
    assert [attempt.fake for attempt in solved.attempts] == [100, 101, 102, 103, 104]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_who_is_recognised_when_turned_is_recognised(turns: int) -> None:
    assert solve(Given(NEW), Says(0.9), Knows(turns)).cause is Cause.STILL_RECOGNISABLE


def test_a_face_that_looks_broken_is_tried_with_another_fake_on_the_same_rung() -> None:
    solver = Given(NEW)
    solved = solve(solver, Says(0.1, 0.2, 0.8))
    assert [attempt.cause for attempt in solved.attempts] == [Cause.IMPLAUSIBLE, Cause.IMPLAUSIBLE, None]
    assert solver.rungs == [Rung(0.0, LAYERS)] * 3
    assert solver.fakes == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("quality", [0.1, float("nan")])
def test_a_face_that_always_looks_broken_ends_as_implausible(quality: float) -> None:
    assert solve(Given(NEW), Says(quality)).cause is Cause.IMPLAUSIBLE


def test_a_lovely_face_that_is_recognised_stays_recognised() -> None:
    assert solve(Given(NEW), Says(1.0), Knows(0), min_quality=0.0).cause is Cause.STILL_RECOGNISABLE
    assert solve(Given(ORIGINAL), Says(1.0), min_quality=0.0).cause is Cause.UNCHANGED


def test_a_face_that_is_recognised_and_looks_broken_is_pushed_harder() -> None:
    solver = Given(NEW)
    solved = solve(solver, Says(0.0), Knows(0), attempts=2)
    assert [attempt.cause for attempt in solved.attempts] == [Cause.STILL_RECOGNISABLE] * 2
    assert solver.rungs[1].margin == -0.15


def test_a_margin_that_was_missed_is_not_lowered_but_gets_more_layers() -> None:
    solver = Given(Cause.MARGIN_NOT_REACHED)
    solved = solve(solver, Says(0.9), attempts=4)
    assert solved.cause is Cause.MARGIN_NOT_REACHED
    assert solver.rungs == [Rung(0.0, (3, 8)), Rung(0.0, (3, 8)), Rung(0.0, (2, 9)), Rung(0.0, (1, 10))]


def test_what_is_no_number_has_no_quality() -> None:
    solved = solve(Given(Cause.NOT_FINITE), Says(0.9), attempts=1)
    assert (solved.cause, solved.attempts[0].quality) == (Cause.NOT_FINITE, None)


def test_layers_and_margin_end_where_the_generator_and_cosines_do() -> None:
    assert Plan(9, -0.9, (1, 12), 12).rung(8) == Rung(-1.0, (0, 12))


def test_faces_of_one_batch_climb_on_their_own() -> None:
    class OnlySecond(Says):
        def quality(self, *_: Any, **__: Any) -> Quality:
            self.calls = getattr(self, "calls", 0) + 1
            return Quality(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1 if self.calls == 2 else 0.9)

    solver = Given(NEW)
    plan = Plan(3, 0.0, LAYERS, NUM_LAYERS, min_quality=0.5)
    first, second = anonymize(faces(2), solver, [(), ()], OnlySecond(0.0), plan)
    assert [len(each.attempts) for each in (first, second)] == [1, 2]
    assert second.cause is None
