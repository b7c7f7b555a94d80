"""Joins what the views of one photo show: one sighting per face.

Nothing here depends on the finder's thresholds, so a lower one can only add faces.
"""

from dataclasses import dataclass, field

import numpy as np

from falco_core.faces.centerface import Seen, overlaps
from falco_core.faces.views import View

SAME_FACE = 0.3
"""Overlap (intersection over union) from which the boxes of two views are one face."""
INSIDE = 0.7
"""Share of a box inside another from which it may be a part of that one's face."""
SURE = 0.3
"""CenterFace's score from which a coarse view's box may take parts of its face in."""
WHOLE_FACE = 400
"""Pixels of the view: above it CenterFace may take a part of a face for a face."""
RESOLVED = 16
"""Pixels of the view: from this size on CenterFace would have seen a face of its own."""
SPLIT = 250
"""Pixels of the view: only larger faces does CenterFace take apart."""
ON_BORDER = (0.25, 0.97)
"""Share of a box inside the photo from which, and up to which, a mirrored border may have completed its face."""


@dataclass
class Sighting:
    """A face as the views show it: the best box [4] and landmarks [5, 2] in photo pixels, and the best scores.

    `score` is CenterFace's best in the plain views, `border_score` YuNet's in those with a mirrored border. `seen_by`
    says how well each part of a view (name, part) saw it, `scale` is photo pixels per pixel of the coarsest.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float
    rank: tuple[bool, bool, float]
    scale: float
    border_score: float = 0.0
    seen_by: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that showed it, the one that saw it best first."""
        best_first = sorted(self.seen_by, key=lambda part: -self.seen_by[part])
        return tuple(dict.fromkeys(name for name, _ in best_first))


def join(sightings: list[Sighting], view: View, seen: Seen) -> None:
    """Add the faces of a view to the sightings of coarser ones, in place."""
    if view.border:
        _join_border(sightings, view, seen)
        return
    ratio, shift = view.scale, view.corner
    whole = [not _cut_by_tile(box, view) for box in seen.boxes]
    for i in sorted(range(len(whole)), key=lambda face: (not whole[face], -seen.scores[face], face)):
        box = seen.boxes[i]
        side = float((box[2:] - box[:2]).max())
        rank = (whole[i], side <= WHOLE_FACE, float(seen.scores[i]))
        place = box * np.tile(ratio, 2) + np.tile(shift, 2)
        new = Sighting(place, seen.landmarks[i] * ratio + shift, rank[2], rank, float(ratio.max()))
        if not _place(sightings, new, (view.name, view.part)):
            new.seen_by[view.name, view.part] = new.score
            sightings.append(new)


def _join_border(sightings: list[Sighting], view: View, seen: Seen) -> None:
    """Add the faces at the border of a view that is mirrored there: known ones become surer, others are new."""
    part, ratio, shift = (view.name, view.part), view.scale, view.corner
    for i in range(len(seen.boxes)):
        if not _crosses(seen.boxes[i], view):
            continue
        place = _without_border(seen.boxes[i], view) * np.tile(ratio, 2) + np.tile(shift, 2)
        score = float(seen.scores[i])
        known = _known_at_border(sightings, place)
        if known is None:
            known = Sighting(place, seen.landmarks[i] * ratio + shift, 0.0, (False, False, 0.0), float(ratio.max()))
            sightings.append(known)
        elif known.score < SURE and score > known.border_score and overlaps(place, known.box[None])[0][0] >= SAME_FACE:
            known.box = place  # CenterFace, unsure of a cut face, is unsure of its place
        known.border_score = max(known.border_score, score)
        known.seen_by[part] = max(known.seen_by.get(part, 0.0), score)


def _known_at_border(sightings: list[Sighting], place: np.ndarray) -> Sighting | None:
    """The sighting whose face is at the box `place` [4] of the photo, or, if it is sure, around it."""
    if not sightings:
        return None
    shared, inside = overlaps(place, np.stack([known.box for known in sightings]))
    best = int(np.argmax(shared))
    if shared[best] >= SAME_FACE:
        return sightings[best]
    around = [i for i in np.argsort(-inside, kind="stable") if inside[i] >= INSIDE and sightings[i].score >= SURE]
    return sightings[around[0]] if around else None


def _place(sightings: list[Sighting], new: Sighting, part: tuple[str, int]) -> bool:
    """Whether a new sighting is a second look at a known face or a part of one: then it is added to that one."""
    if not sightings:
        return False
    shared, inside = overlaps(new.box, np.stack([known.box for known in sightings]))
    for index in np.argsort(-shared, kind="stable"):
        if shared[index] >= SAME_FACE and part not in sightings[index].seen_by:
            _merge(sightings[index], new, part)
            return True
    for index in np.argsort(-inside, kind="stable"):
        known = sightings[index]
        if inside[index] >= INSIDE and _is_part(known, new):
            known.score = max(known.score, new.score)
            known.seen_by[part] = max(known.seen_by.get(part, 0.0), new.score)
            return True
    return False


def _merge(known: Sighting, new: Sighting, part: tuple[str, int]) -> None:
    if new.rank > known.rank:
        known.box, known.landmarks, known.rank = new.box, new.landmarks, new.rank
    known.score = max(known.score, new.score)
    known.seen_by[part] = new.score


def _is_part(known: Sighting, new: Sighting) -> bool:
    """Whether a box inside a known one is a part of its face: the coarser view would have seen a second face."""
    if not new.rank[0]:
        return True  # what the border of a tile or photo leaves of a face
    side, known_side = (float((face.box[2:] - face.box[:2]).max()) for face in (new, known))
    surer = known.score >= SURE and new.scale < known.scale and known_side / new.scale >= SPLIT
    return surer and side / known.scale >= RESOLVED


def _cut_by_tile(box: np.ndarray, view: View) -> bool:
    """Whether a box [4] of a view comes so near to a side inside the photo that it may be cut there."""
    height, width = view.pixels.shape[:2]
    near = 0.05 * float((box[2:] - box[:2]).max()) + 2
    touches = (box[0] < near, box[1] < near, box[2] > width - near, box[3] > height - near)
    return any(touch and inner for touch, inner in zip(touches, view.inner, strict=True))


def _crosses(box: np.ndarray, view: View) -> bool:
    """Whether a box [4] of a view with a mirrored border lies on the photo's border, a good part of it inside."""
    inside = _without_border(box, view)
    share = float((inside[2:] - inside[:2]).clip(min=0).prod() / max((box[2:] - box[:2]).prod(), 1e-9))
    return ON_BORDER[0] <= share < ON_BORDER[1]


def _without_border(box: np.ndarray, view: View) -> np.ndarray:
    """What of a box [4] lies inside the sides at which a view is mirrored."""
    height, width = view.pixels.shape[:2]
    left, top, right, bottom = (0 if inner else view.border for inner in view.inner)
    low = np.where(view.inner[:2], -np.inf, [left, top])
    high = np.where(view.inner[2:], np.inf, [width - right, height - bottom])
    inside: np.ndarray = np.clip(box, np.tile(low, 2), np.tile(high, 2))
    return inside
