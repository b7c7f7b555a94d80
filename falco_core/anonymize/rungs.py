"""How hard each attempt at a face pushes: another fake first, then a lower margin, then more layers."""

from dataclasses import dataclass
from typing import Literal

Objective = Literal["composite", "crop"]
"""What the losses look at: the composite that will be released, or the generated crop (as published)."""
STRONGER = 0.15
"""By how much each attempt that was recognised lowers the margin of the next."""
WIDER_FROM = 2
"""Failures after which more layers move: a lower margin alone has been tried by then."""
MOST_WIDER = 2
"""Layers more at each side at most: beyond, pose and colours of the original are no longer kept."""


@dataclass(frozen=True, order=True)
class Rung:
    """Wanted cosine to the original, and the W+ layers [first, last) that are taken from the fake and optimized."""

    margin: float
    layers: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """How faces are tried: `attempts` fakes at most, from `margin` and `layers` on.

    num_layers: how many W+ layers there are; objective: see Objective; min_quality: plausibility (0..1) below which a
    new face is tried with another fake.
    """

    attempts: int
    margin: float
    layers: tuple[int, int]
    num_layers: int
    objective: Objective = "composite"
    min_quality: float = 0.0

    def rung(self, recognised: int, missed: int = 0) -> Rung:
        """The rung after so many attempts that were `recognised`, and so many that `missed` their margin.

        A face that only looked implausible stays on its rung: pushing harder makes no better faces. A margin that was
        not reached is not lowered, but more layers may reach it.
        """
        wider = min(max(recognised + missed - WIDER_FROM + 1, 0), MOST_WIDER)
        first, last = self.layers
        return Rung(
            margin=max(round(self.margin - recognised * STRONGER, 6), -1.0),
            layers=(max(first - wider, 0), min(last + wider, self.num_layers)),
        )
