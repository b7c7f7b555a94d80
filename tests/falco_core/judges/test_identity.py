import numpy as np
import pytest

from falco_core.errors import JudgeError
from falco_core.judges.gallery import Gallery
from falco_core.judges.identity import Compared, Role, Scope, headline, identity_hits, rank1, reidentified
from falco_core.judges.identity import identity_records as records_of_parts
from falco_core.judges.metrics import IdentityRecord
from tests.falco_core.judges.helpers import PatchJudge, unit

JUDGE = PatchJudge()
ORIGINALS = np.eye(4, dtype=np.float32)
STRANGERS = unit([0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0])
"""Row by row far from the own original, and nearer to every other one."""


def compared(seen: np.ndarray, originals: np.ndarray = ORIGINALS, gallery: np.ndarray | None = None) -> Compared:
    return Compared(seen, originals[: len(seen)], Gallery(JUDGE, originals if gallery is None else gallery))


def identity_records(judge: PatchJudge, role: Role, scope: Scope, faces: Compared) -> list[IdentityRecord]:
    return records_of_parts(judge, role, scope, [identity_hits(judge, faces)])


def rates(records: list[IdentityRecord]) -> dict[tuple[str, str], float | None]:
    return {(record.metric, record.scope): record.rate.value for record in records}


def test_strangers_are_not_recognised() -> None:
    assert set(rates(identity_records(JUDGE, "audit", "released", compared(STRANGERS))).values()) == {0.0}


def test_a_planted_original_is_counted_by_both_protocols() -> None:
    seen = STRANGERS.copy()
    seen[2] = ORIGINALS[2]
    assert rates(identity_records(JUDGE, "gate", "composed", compared(seen))) == {
        ("reid_patch_0.90", "composed"): 0.25,
        ("rank1_patch_0.90", "composed"): 0.25,
    }


def test_a_face_below_the_threshold_can_still_be_found_among_all() -> None:
    composed = unit([2, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0])
    assert not reidentified(JUDGE, compared(composed))[0]
    assert rank1(JUDGE, compared(composed)).tolist() == [True, False, False, False]


def test_originals_of_other_photos_stay_in_the_gallery() -> None:
    """Face 0 is nearest to original 1: leaving that out because its photo was withheld would make a hit of it."""
    seen = unit([0.5, 1, 0, 0])
    assert rank1(JUDGE, compared(seen)).tolist() == [False]
    assert rank1(JUDGE, compared(seen, gallery=ORIGINALS[:1])).tolist() == [True]


@pytest.mark.parametrize("fault", ["constant", "zero", "nan"])
def test_a_broken_judge_recognises_everyone(fault: str) -> None:
    composed = {
        "constant": np.tile(ORIGINALS[:1], (4, 1)),
        "zero": np.zeros((4, 4)),
        "nan": np.full((4, 4), np.nan),
    }[fault]
    originals = composed if fault == "constant" else ORIGINALS
    faces = compared(composed, originals)
    assert reidentified(JUDGE, faces).all()
    assert rank1(JUDGE, faces).all()


@pytest.mark.parametrize("broken", [0.0, np.nan])
def test_originals_that_nobody_could_find_raise(broken: float) -> None:
    originals = ORIGINALS.copy()
    originals[1] = broken
    with pytest.raises(JudgeError, match="judge patch: the originals"):
        identity_records(JUDGE, "gate", "composed", compared(STRANGERS, originals))


def test_nobody_judged_is_unknown_and_never_zero() -> None:
    records = identity_records(JUDGE, "audit", "released", compared(STRANGERS[:0]))
    assert set(rates(records).values()) == {None}
    assert records == records_of_parts(JUDGE, "audit", "released", [])
    assert "unknown" in headline(records)


def test_the_parts_of_a_dataset_count_together() -> None:
    seen = np.concatenate([STRANGERS[:3], ORIGINALS[3:]])
    whole, gallery = identity_records(JUDGE, "gate", "composed", compared(seen)), Gallery(JUDGE, ORIGINALS)
    parts = [Compared(seen[rows], ORIGINALS[rows], gallery) for rows in (slice(0, 1), slice(1, 1), slice(1, 4))]
    assert records_of_parts(JUDGE, "gate", "composed", [identity_hits(JUDGE, part) for part in parts]) == whole


def test_the_nearest_original_may_be_anothers() -> None:
    likenesses = Gallery(JUDGE, ORIGINALS).nearest(np.stack([unit([0, 0.1, 1, 0])[0], np.full(4, np.nan)]))
    assert likenesses[0] >= JUDGE.near
    assert not likenesses[1] < JUDGE.near


def test_the_headline_says_who_counted() -> None:
    gate = identity_records(JUDGE, "gate", "composed", compared(STRANGERS))
    assert headline(gate).startswith("no auditor: reid_patch_0.90: 0.0% (0.0% to 49.0%, n = 4) before withholding")
    audit = identity_records(JUDGE, "audit", "released", compared(ORIGINALS))
    assert headline([*gate, *audit]).startswith("reid_patch_0.90: 100.0% (51.0% to 100.0%, n = 4) of released")


def test_rows_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        Compared(STRANGERS, ORIGINALS[:3], ORIGINALS)
