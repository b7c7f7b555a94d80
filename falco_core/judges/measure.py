"""The metrics of a finished dataset, over the faces that judges saw."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from falco_core.judges.finished import FinishedFaces
from falco_core.judges.identity import Compared, identity_records
from falco_core.judges.metrics import IdentityRecord
from falco_core.judges.recognisers import Judge
from falco_core.judges.roles import Roles
from falco_core.judges.seen import When
from falco_core.reasons import Treatment
from falco_core.store.artifact import Artifact
from falco_core.store.rows import Check, ComposedPhoto

WHENS: tuple[When, ...] = ("original", "first", "last")


def released_checks(composed: Artifact[ComposedPhoto], released: Collection[str]) -> list[Check]:
    """The faces of the photos (sha256) to be released."""
    return [check for photo in composed.all() if photo.id in released for check in photo.row.checks]


def identity_of(
    faces: FinishedFaces, released: Collection[str], roles: Roles, judges: Sequence[Judge]
) -> Iterator[IdentityRecord]:
    """Every judge's counts: of all new faces before anything was withheld, and of those to be released."""
    rows = faces.rows
    all_new = np.array([row.anonymized for row in rows], dtype=bool)
    # A face of one colour shows nothing of itself: who knows it knows hair and clothes, which nobody promises to hide.
    all_out = np.array([row.photo in released and row.treatment != Treatment.BLANKED for row in rows], dtype=bool)
    for judge in judges:
        new, out, role = all_new, all_out, roles.role_of(judge.name)
        if role == "gate":
            # Among both kinds of people a judge counts those that it knows, and decides on.
            known = np.array([judge.name in row.judged_by for row in rows], dtype=bool)
            new, out = all_new & known, all_out & known
        seen = faces.seen_by(judge.name)
        gallery = faces.gallery(judge.name, seen)
        own, first, last = (seen.of(when, judge.name) for when in WHENS)
        yield from identity_records(judge, role, "composed", Compared(first[new], own[new], gallery))
        yield from identity_records(judge, role, "released", Compared(last[out], own[out], gallery))
