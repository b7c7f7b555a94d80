"""Several attempts at a face: another fake for one that failed, and a harder push for one that is still recognised."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from falco_core.anonymize.rungs import Plan, Rung
from falco_core.anonymize.solver import Outcome, Problem, Solver
from falco_core.faces.compose import paste
from falco_core.faces.exposure import well_lit
from falco_core.judges.likeness import LIKENESS_LIMIT
from falco_core.judges.one_face import disguised, likeness, redrawn, upright
from falco_core.judges.plausible import Plausibility
from falco_core.judges.recognisers import Judge
from falco_core.judges.seen import Seen, When
from falco_core.photos.tensors import to_pixels, to_tensor
from falco_core.reasons import Cause
from falco_core.store.rows import Attempt

RECOGNISED = (Cause.STILL_RECOGNISABLE, Cause.UNCHANGED)
"""Causes after which the next attempt lowers the margin."""


@dataclass(frozen=True)
class Faces:
    """Faces to anonymize.

    crops: uint8 [N, R, R, 3]; masks: [N, R, R] in 0..1; landmarks: [N, 5, 2] in crop pixels; codes: W+ [N, L, D];
    fidelity: [N] recogniser cosines of their reconstructions; references: per face and judge of its gate, the
    original's embedding [E]; fakes: [N, K] numbers of their paired fakes, nearest first; fake_codes: [N, K, L, D].
    """

    crops: np.ndarray
    masks: np.ndarray
    landmarks: np.ndarray
    codes: Tensor
    fidelity: np.ndarray
    references: Sequence[Sequence[np.ndarray]]
    fakes: np.ndarray
    fake_codes: Tensor


@dataclass
class Solved:
    """What became of a face: its attempts, and the last one's code [L, D] (in S: [S]) and crop uint8 [R, R, 3].

    seen: what the judges of its gate see of it (last: in its original crop, drawn: alone), once an attempt is good.
    """

    code: np.ndarray
    crop: np.ndarray
    attempts: list[Attempt] = field(default_factory=list)
    seen: Seen = field(default_factory=lambda: Seen({}))

    @property
    def cause(self) -> Cause | None:
        """Why it has no new face; None if it has."""
        return self.attempts[-1].cause

    def count(self, *causes: Cause) -> int:
        """How many attempts failed for one of these causes."""
        return sum(attempt.cause in causes for attempt in self.attempts)


def anonymize(
    faces: Faces,
    solver_of: Callable[[Rung], Solver],
    gates: Sequence[Sequence[Judge]],
    plausibility: Plausibility,
    plan: Plan,
) -> list[Solved]:
    """Solve all faces; those that fail are tried again, each time with the next fake, on the rung that `plan` says.

    solver_of: the solver for a rung; gates: per face, the judges that must not recognise the composite.
    """
    size = faces.crops.shape[1]
    solved = [Solved(np.zeros(0, np.float32), np.zeros((size, size, 3), np.uint8)) for _ in faces.crops]
    judge = _Judging(faces, gates, plausibility, plan.min_quality)
    for number in range(plan.attempts):
        todo = [row for row, face in enumerate(solved) if not face.attempts or face.cause is not None]
        for rung, rows in _by_rung(plan, solved, todo):
            outcome = solver_of(rung).solve(_problem(faces, rows, number, plan))
            shown = to_pixels(outcome.images)
            for place, row in enumerate(rows):
                solved[row].code, solved[row].crop = outcome.codes[place].cpu().numpy(), shown[place]
                fake = int(faces.fakes[row][number % faces.fakes.shape[1]])
                solved[row].attempts.append(judge.attempt(row, outcome, place, shown[place], fake, rung))
    for row, face in enumerate(solved):
        if face.cause is None:
            face.seen = judge.seen(row, face.crop)
    return solved


def composite(crop: np.ndarray, new: np.ndarray, *, landmarks: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A new face in its original crop, as compose puts it into the photo: uint8 [R, R, 3] each."""
    size = float(len(crop))
    quad = np.array([[0.0, 0.0], [0.0, size], [size, size], [size, 0.0]])
    return paste(crop, new, quad=quad, landmarks=landmarks, mask=mask).pixels


def _by_rung(plan: Plan, solved: Sequence[Solved], todo: Sequence[int]) -> Iterator[tuple[Rung, list[int]]]:
    """The rows to do, together where they need the same solver."""
    rows: dict[Rung, list[int]] = defaultdict(list)
    for row in todo:
        rows[plan.rung(solved[row].count(*RECOGNISED), solved[row].count(Cause.MARGIN_NOT_REACHED))].append(row)
    yield from sorted(rows.items())


def _problem(faces: Faces, rows: list[int], number: int, plan: Plan) -> Problem:
    chosen = torch.tensor(rows, device=faces.codes.device)
    column = number % faces.fake_codes.shape[1]
    masks = torch.from_numpy(faces.masks[rows])[:, None].to(faces.codes.device)
    return Problem(
        crops=to_tensor(np.stack([well_lit(faces.crops[row], faces.masks[row]) for row in rows])).to(
            faces.codes.device
        ),
        masks=None if plan.objective == "crop" else masks,
        real=faces.codes[chosen],
        fake=faces.fake_codes[chosen, column],
    )


class _Judging:
    """Judges attempts by all that the second look will ask of one face alone, and by how plausible they are."""

    def __init__(
        self, faces: Faces, gates: Sequence[Sequence[Judge]], plausibility: Plausibility, min_quality: float
    ) -> None:
        self._faces, self._gates = faces, gates
        self._plausibility, self._min_quality = plausibility, min_quality

    def attempt(self, row: int, outcome: Outcome, place: int, new: np.ndarray, fake: int, rung: Rung) -> Attempt:
        """What is recorded of an attempt; `row` is the face's, `place` that in the outcome, `new` its crop."""
        cause, quality, name = outcome.causes[place], None, None
        if cause is not Cause.NOT_FINITE:
            found, quality, name = self._judged(row, new)
            cause = cause or found
        return Attempt(
            fake=fake,
            margin=rung.margin,
            first_layer=rung.layers[0],
            last_layer=rung.layers[1],
            cosine_start=float(outcome.cosine_start[place]),
            cosine=float(outcome.cosine[place]),
            attribute_loss=float(outcome.attribute_loss[place]),
            steps=outcome.steps,
            cause=cause,
            quality=quality,
            recognised_by=name,
        )

    def seen(self, row: int, new: np.ndarray) -> Seen:
        """What the gate sees of a new crop, in the original one and alone: [1, E] each."""
        crop, landmarks, mask = (of[row] for of in (self._faces.crops, self._faces.landmarks, self._faces.masks))
        pictures: dict[When, np.ndarray] = {
            "last": composite(crop, new, landmarks=landmarks, mask=mask),
            "drawn": new,
        }
        return Seen(
            {
                (when, judge.name): judge.embed(picture, [landmarks])
                for when, picture in pictures.items()
                for judge in self._gates[row]
            }
        )

    def _judged(self, row: int, new: np.ndarray) -> tuple[Cause | None, float, str | None]:
        """Why a new crop must not stay, its quality, and who recognises it."""
        faces, cause = self._faces, None
        crop, landmarks, mask = faces.crops[row], faces.landmarks[row], faces.masks[row]
        shown = composite(crop, new, landmarks=landmarks, mask=mask)
        seen = self._plausibility.look(shown, landmarks)
        quality = self._plausibility.quality(
            crop, shown, mask=mask, landmarks=landmarks, fidelity=float(faces.fidelity[row]), seen=seen
        ).value
        points = [] if seen.landmarks is None else [seen.landmarks]
        name = recognised_by(self._gates[row], faces.references[row], shown, landmarks, points)
        name = name or redrawn_for(self._gates[row], faces.references[row], new, landmarks)
        # Written so that what is no number is a cause. Privacy comes first: it says how to push harder.
        if not likeness(crop, shown, new) < LIKENESS_LIMIT:
            cause = Cause.UNCHANGED
        elif name is not None:
            cause = Cause.STILL_RECOGNISABLE
        elif not quality >= self._min_quality:
            cause = Cause.IMPLAUSIBLE
        return cause, quality, name


def recognised_by(
    gate: Sequence[Judge],
    references: Sequence[np.ndarray],
    shown: np.ndarray,
    landmarks: np.ndarray,
    seen: Sequence[np.ndarray] = (),
) -> str | None:
    """The first judge to which a crop uint8 [R, R, 3] is the person of its reference [E], or to which it is no number.

    landmarks: [5, 2]; seen: those that a detector found in the crop instead.
    """
    for judge, reference in zip(gate, references, strict=True):
        views = [upright(judge, reference, shown, points) for points in (landmarks, *seen)]
        if not np.max([*views, disguised(judge, reference, shown, landmarks)]) < judge.threshold:
            return judge.name
    return None


def redrawn_for(
    gate: Sequence[Judge], references: Sequence[np.ndarray], new: np.ndarray, landmarks: np.ndarray
) -> str | None:
    """The first judge to which the drawn crop uint8 [R, R, 3] itself is its reference [E], by `Judge.near`."""
    for judge, reference in zip(gate, references, strict=True):
        if redrawn(judge, reference, new, landmarks):
            return judge.name
    return None
