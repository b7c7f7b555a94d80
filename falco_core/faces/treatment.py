"""What a found face gets: a new face, or concealment where the generator has nothing to hold on to."""

from dataclasses import dataclass

import numpy as np

from falco_core.faces.find import FoundFace, is_cut, turned_away
from falco_core.project.params import AlignParams
from falco_core.reasons import Cause

SURE_LANDMARKS = 0.8
"""MTCNN's probability from which its landmarks are exact enough to align by (docs/finding.md); CenterFace's never are
on turned faces.
"""


@dataclass(frozen=True)
class Limits:
    """From where on the generator replaces a face."""

    smallest: int
    """Pixels, shorter side of the face's box."""
    most_turned: float
    """Of `turned_away`: 0 frontal, 1 profile."""
    most_covered: float
    """Share of the face that something in front of it may hide (`faces.mask.MaskQuality`)."""


def limits_of(params: AlignParams) -> Limits:
    """The limits that the parameters set."""
    return Limits(params.smallest_replaced, params.most_turned, params.most_covered)


def why_concealed(face: FoundFace, shape: tuple[int, ...], covered: float, limits: Limits) -> Cause | None:
    """The first reason not to replace `face` in a photo of `shape` [H, W, ...]; None if it is replaced.

    covered: share of the face that something hides.
    """
    if not np.isfinite(face.landmarks).all():
        return Cause.DOUBTFUL
    # Written so that a box that is no number conceals its face.
    if not face.size >= limits.smallest:
        return Cause.TOO_SMALL
    if is_cut(face, shape):
        return Cause.CUT
    if not turned_away(face.landmarks) <= limits.most_turned:
        return Cause.TURNED_AWAY
    if not face.mtcnn_score >= SURE_LANDMARKS:
        return Cause.DOUBTFUL
    if not covered <= limits.most_covered:
        return Cause.COVERED
    return None
