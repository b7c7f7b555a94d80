"""The metrics of a finished dataset, over the faces that judges saw."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from falco_core.judges.finished import FinishedFace, FinishedFaces
from falco_core.judges.identity import Compared, Hits, Scope, identity_hits, identity_records
from falco_core.judges.metrics import IdentityRecord
from falco_core.judges.recognisers import Judge
from falco_core.judges.roles import Roles
from falco_core.judges.seen import When
from falco_core.reasons import Treatment
from falco_core.store.artifact import Artifact
from falco_core.store.rows import Check, ComposedPhoto

WHENS: tuple[When, ...] = ("original", "first", "last")


def released_checks(composed: Artifact[ComposedPhoto], released: Collection[str]) -> Iterator[Check]:
    """The faces of the photos (sha256) to be released."""
    return (check for photo in composed.all() if photo.id in released for check in photo.row.checks)


def identity_of(
    faces: FinishedFaces, released: Collection[str], roles: Roles, judges: Sequence[Judge]
) -> Iterator[IdentityRecord]:
    """Every judge's counts: of all new faces before anything was withheld, and of those to be released."""
    for judge in judges:
        role = roles.role_of(judge.name)
        hits: dict[Scope, list[Hits]] = {"composed": [], "released": []}
        with faces.gallery(judge, "identity") as gallery:
            for part in faces.parts():
                seen = part.seen_by(judge.name)
                new, out = _chosen(part.rows, released, judge.name if role == "gate" else None)
                own, first, last = (seen.of(when, judge.name) for when in WHENS)
                hits["composed"].append(identity_hits(judge, Compared(first[new], own[new], gallery)))
                hits["released"].append(identity_hits(judge, Compared(last[out], own[out], gallery)))
        for scope, parts in hits.items():
            yield from identity_records(judge, role, scope, parts)


def _chosen(rows: Sequence[FinishedFace], released: Collection[str], gate: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Which faces count before anything was withheld, and which of those to be released: bool [F] each."""
    new = np.array([row.anonymized for row in rows], dtype=bool)
    # A face of one colour shows nothing of itself: who knows it knows hair and clothes, which nobody promises to hide.
    out = np.array([row.photo in released and row.treatment != Treatment.BLANKED for row in rows], dtype=bool)
    if gate is None:
        return new, out
    # Among both kinds of people a judge counts those that it knows, and decides on.
    known = np.array([gate in row.judged_by for row in rows], dtype=bool)
    return new & known, out & known
