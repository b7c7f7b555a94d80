"""Several attempts at a face: another fake and a lower margin for one that the gate still recognises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from falco_core.anonymize.solver import Outcome, Problem, Solver
from falco_core.faces.compose import paste
from falco_core.judges.likeness import LIKENESS_LIMIT, pixel_likeness
from falco_core.judges.recognisers import Judge
from falco_core.judges.similarity import similarity
from falco_core.photos.tensors import to_pixels, to_tensor
from falco_core.reasons import Cause

Objective = Literal["composite", "crop"]
"""What the losses look at: the composite that will be released, or the generated crop (as published)."""
STRONGER = 0.15
"""By how much each further attempt lowers the margin."""


@dataclass(frozen=True)
class Faces:
    """Faces to anonymize.

    crops: uint8 [N, R, R, 3]; masks: [N, R, R] in 0..1; landmarks: [N, 5, 2] in crop pixels; codes: W+ [N, L, D];
    fakes: [N, K] numbers of their paired fakes, nearest first; fake_codes: [N, K, L, D].
    """

    crops: np.ndarray
    masks: np.ndarray
    landmarks: np.ndarray
    codes: Tensor
    fakes: np.ndarray
    fake_codes: Tensor


@dataclass(frozen=True)
class Attempt:
    """One attempt at a face, and why it failed (None: it did not)."""

    fake: int
    margin: float
    cosine_start: float
    cosine: float
    attribute_loss: float
    steps: int
    cause: Cause | None
    recognised_by: str | None = None


@dataclass
class Solved:
    """What became of a face: its attempts, and the last one's code [L, D] and crop uint8 [R, R, 3]."""

    code: np.ndarray
    crop: np.ndarray
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def cause(self) -> Cause | None:
        """Why it has no new face; None if it has."""
        return self.attempts[-1].cause


def anonymize(
    faces: Faces,
    solver_of: Callable[[float], Solver],
    gates: Sequence[Sequence[Judge]],
    *,
    margin: float,
    attempts: int,
    objective: Objective,
) -> list[Solved]:
    """Solve all faces; those that fail are tried again, each time with the next fake and a margin lower by STRONGER.

    solver_of: the solver for a margin; gates: per face, the judges that must not recognise the composite.
    """
    size = faces.crops.shape[1]
    solved = [
        Solved(np.zeros(faces.codes.shape[1:], np.float32), np.zeros((size, size, 3), np.uint8)) for _ in faces.crops
    ]
    todo = list(range(len(faces.crops)))
    for number in range(attempts):
        wanted = max(margin - number * STRONGER, -1.0)
        if not todo:
            break
        fakes = [int(faces.fakes[row][number % faces.fakes.shape[1]]) for row in todo]
        outcome = solver_of(wanted).solve(_problem(faces, todo, number, objective))
        shown = to_pixels(outcome.images)
        for place, row in enumerate(todo):
            solved[row].code, solved[row].crop = outcome.codes[place].cpu().numpy(), shown[place]
            solved[row].attempts.append(
                _attempt(faces, row, outcome, place, shown[place], fakes[place], wanted, gates[row])
            )
        todo = [row for row in todo if solved[row].cause is not None]
    return solved


def composite(crop: np.ndarray, new: np.ndarray, *, landmarks: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A new face in its original crop, as compose puts it into the photo: uint8 [R, R, 3] each."""
    size = float(len(crop))
    quad = np.array([[0.0, 0.0], [0.0, size], [size, size], [size, 0.0]])
    return paste(crop, new, quad=quad, landmarks=landmarks, mask=mask).pixels


def _problem(faces: Faces, rows: list[int], number: int, objective: Objective) -> Problem:
    chosen = torch.tensor(rows, device=faces.codes.device)
    column = number % faces.fake_codes.shape[1]
    return Problem(
        crops=to_tensor(faces.crops[rows]).to(faces.codes.device),
        masks=None if objective == "crop" else torch.from_numpy(faces.masks[rows])[:, None].to(faces.codes.device),
        real=faces.codes[chosen],
        fake=faces.fake_codes[chosen, column],
    )


def _attempt(
    faces: Faces,
    row: int,
    outcome: Outcome,
    place: int,
    new: np.ndarray,
    fake: int,
    margin: float,
    gate: Sequence[Judge],
) -> Attempt:
    cause, name = outcome.causes[place], None
    if cause is None:
        shown = composite(faces.crops[row], new, landmarks=faces.landmarks[row], mask=faces.masks[row])
        name = recognised_by(gate, faces.crops[row], shown, faces.landmarks[row])
        if not pixel_likeness(faces.crops[row], shown) < LIKENESS_LIMIT:
            cause = Cause.UNCHANGED
        elif name is not None:
            cause = Cause.STILL_RECOGNISABLE
    return Attempt(
        fake=fake,
        margin=margin,
        cosine_start=float(outcome.cosine_start[place]),
        cosine=float(outcome.cosine[place]),
        attribute_loss=float(outcome.attribute_loss[place]),
        steps=outcome.steps,
        cause=cause,
        recognised_by=name,
    )


def recognised_by(gate: Sequence[Judge], crop: np.ndarray, shown: np.ndarray, landmarks: np.ndarray) -> str | None:
    """The first judge that takes two crops uint8 [R, R, 3] for one person, or whose answer is no number."""
    for judge in gate:
        before, after = (judge.embed(pixels, [landmarks]) for pixels in (crop, shown))
        if not float(similarity(judge.measure, before, after)[0]) < judge.threshold:
            return judge.name
    return None
