from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.errors import JudgeError
from falco_core.faces.align import crop_quad, extract_crop
from falco_core.faces.find import FoundFace
from falco_core.faces.place import Drawing, Place
from falco_core.judges.second_look import CLOSE, Findings, SecondLook
from falco_core.photos.codec import Photo
from falco_core.reasons import Cause
from tests.falco_core.judges.helpers import PatchJudge, two_faces

SIDE = 64
"""Pixels between the two faces of the photo, and what a PatchJudge looks at."""


class FixedFinder:
    """Finds what it is told to find."""

    def __init__(self, *faces: FoundFace) -> None:
        self.faces = list(faces)

    def find(self, pixels: np.ndarray) -> list[FoundFace]:
        return self.faces


class SeesOurs:
    """Finds a face in the finished file, and something else once what was drawn is gone."""

    def __init__(self, face: FoundFace, *otherwise: FoundFace) -> None:
        self.face, self.otherwise = face, list(otherwise)

    def find(self, pixels: np.ndarray) -> list[FoundFace]:
        return [self.face] if np.array_equal(pixels, SHOWN) else self.otherwise


class Says(PatchJudge):
    """A judge that sees what it is told to see."""

    def __init__(self, seen: Callable[[np.ndarray], np.ndarray]) -> None:
        self._seen = seen

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([self._seen(row) for row in super().embed(pixels, landmarks)])


@pytest.fixture(scope="module")
def bundle(tiny_bundle_folder: Path) -> Bundle:
    return load_bundle(tiny_bundle_folder)


ORIGINAL, LANDMARKS = two_faces(0)
SHOWN = two_faces(1)[0]
"""Two strangers in the places of two people."""
DRAWN = np.ones(ORIGINAL.shape[:2], dtype=bool)


def found(number: int = 0, *, at: tuple[float, float] = (0.0, 0.0), half: float = 18.0) -> FoundFace:
    """A face where the photo's face `number` is, moved by `at`."""
    points = LANDMARKS[number] + at
    middle = points.mean(axis=0)
    return FoundFace(np.concatenate([middle - half, middle + half]), points, 0.9, 0.99, ("whole",))


def places(judges: int = 1) -> tuple[Place, ...]:
    return tuple(
        Place(
            face=f"face-{number}",
            box=found(number).box,
            quad=crop_quad(points),
            landmarks=points,
            references=(PatchJudge().embed(ORIGINAL, [points])[0],) * judges,
            crop=np.zeros((32, 32, 3), dtype=np.uint8),
            mask=np.ones((32, 32), dtype=np.float32),
        )
        for number, points in enumerate(LANDMARKS)
    )


def look(
    bundle: Bundle,
    shown: np.ndarray = SHOWN,
    *,
    sees: tuple[FoundFace, ...] = (),
    suspects: tuple[FoundFace, ...] = (),
    drawn: np.ndarray = DRAWN,
    finder: SeesOurs | None = None,
    judge: PatchJudge | None = None,
    others: tuple[PatchJudge, ...] = (),
    change: Callable[[Place], Place] = lambda place: place,
) -> Findings:
    judge = judge or PatchJudge()
    asked = SecondLook(bundle, finder or FixedFinder(*sees), gate=[judge], others=others)
    drawing = Drawing(Photo(shown, "PNG"), tuple(map(change, places(1 + len(others)))), drawn)
    return asked.look(ORIGINAL, shown, drawing, suspects)


def with_first_face(pixels: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """`pixels` with what `changed` shows of the first face."""
    mixed = pixels.copy()
    mixed[:, :SIDE] = changed[:, :SIDE]
    return mixed


def test_strangers_may_go(bundle: Bundle) -> None:
    findings = look(bundle, sees=(found(0), found(1)))
    assert findings.clean
    assert [check.detected for check in findings.checks] == [True, True]
    assert all(-1 <= check.similarities[0] < 0.9 and check.likeness < 0.9 for check in findings.checks)


def test_a_new_face_that_is_not_found_again_is_no_leak(bundle: Bundle) -> None:
    findings = look(bundle, sees=(found(0),))
    assert findings.clean
    assert [check.detected for check in findings.checks] == [True, False]


def test_only_the_face_that_stayed_is_in_trouble(bundle: Bundle) -> None:
    findings = look(bundle, with_first_face(SHOWN, ORIGINAL))
    assert findings.troubles == (Cause.UNCHANGED, None)
    assert not findings.clean
    assert findings.checks[0].likeness == pytest.approx(1.0, abs=1e-3)
    assert findings.checks[0].similarities[0] == pytest.approx(1.0, abs=1e-3)


def test_who_a_judge_recognises_is_in_trouble_whatever_the_pixels_show(bundle: Bundle) -> None:
    known = PatchJudge().embed(ORIGINAL, [LANDMARKS[1]])[0]
    findings = look(bundle, judge=Says(lambda row: known))
    assert findings.troubles == (None, Cause.STILL_RECOGNISABLE)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_that_is_recognised_when_it_is_turned_is_in_trouble(bundle: Bundle, turns: int) -> None:
    crop = np.rot90(extract_crop(SHOWN, crop_quad(LANDMARKS[0]), CLOSE), turns)
    known = PatchJudge().embed(ORIGINAL, [LANDMARKS[0]])[0]

    class Turned(PatchJudge):
        """Knows the first face in its crop turned in one way, and nobody else."""

        def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
            return known[None] if np.array_equal(pixels, crop) else super().embed(pixels, landmarks)

    assert look(bundle, judge=Turned()).troubles == (Cause.STILL_RECOGNISABLE, None)


def test_a_turned_face_that_gives_no_number_is_in_trouble(bundle: Bundle) -> None:
    crop = np.rot90(extract_crop(SHOWN, crop_quad(LANDMARKS[0]), CLOSE), 2)

    class Lost(PatchJudge):
        """Has no answer to the first face upside down."""

        def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
            rows = super().embed(pixels, landmarks)
            return np.full_like(rows, np.nan) if np.array_equal(pixels, crop) else rows

    assert look(bundle, judge=Lost()).troubles == (Cause.STILL_RECOGNISABLE, None)


def test_a_face_is_judged_where_the_finder_sees_it(bundle: Bundle) -> None:
    elsewhere = found(0, at=(0.25, 0.25))

    class AtTheFinders(PatchJudge):
        def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
            rows = super().embed(pixels, landmarks)
            for row, points in zip(rows, landmarks, strict=True):
                if np.array_equal(points, elsewhere.landmarks):
                    row[:] = known
            return rows

    known = PatchJudge().embed(ORIGINAL, [LANDMARKS[0]])[0]
    assert look(bundle, judge=AtTheFinders()).clean
    assert look(bundle, judge=AtTheFinders(), sees=(elsewhere,)).troubles == (Cause.STILL_RECOGNISABLE, None)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_an_embedding_that_is_no_number_or_has_no_length_is_trouble(bundle: Bundle, value: float) -> None:
    findings = look(bundle, judge=Says(lambda row: np.full_like(row, value)))
    assert findings.troubles == (Cause.STILL_RECOGNISABLE, Cause.STILL_RECOGNISABLE)


def test_what_does_not_judge_only_counts(bundle: Bundle) -> None:
    known = PatchJudge().embed(ORIGINAL, [LANDMARKS[0]])[0]
    findings = look(bundle, others=(Says(lambda row: known),))
    assert findings.clean
    assert findings.checks[0].similarities[1] == pytest.approx(1.0)


def test_a_drawn_crop_that_is_the_original_is_in_trouble_whatever_is_seen_of_it(bundle: Bundle) -> None:
    def original(place: Place) -> Place:
        return replace(place, crop=255 - extract_crop(ORIGINAL, place.quad, 64)[:, ::-1])

    assert look(bundle, change=original).troubles == (Cause.UNCHANGED, Cause.UNCHANGED)


def test_one_colour_is_believed_where_it_is_seen(bundle: Bundle) -> None:
    def plain(place: Place) -> Place:
        return replace(place, crop=None, mask=None, cause=Cause.UNCHANGED, plain=True)

    known = PatchJudge().embed(ORIGINAL, [LANDMARKS[0]])[0]
    shown = SHOWN.copy()
    shown[:, :SIDE] = 128
    findings = look(bundle, shown, judge=Says(lambda row: known), change=plain)
    assert findings.troubles == (None, None)
    known = PatchJudge().embed(ORIGINAL, [LANDMARKS[1]])[0]
    findings = look(bundle, shown, judge=Says(lambda row: known), change=plain)
    assert findings.troubles == (None, Cause.STILL_RECOGNISABLE)


def test_a_suspect_that_nobody_drew_over_is_missed(bundle: Bundle) -> None:
    drawn = DRAWN.copy()
    drawn[:, SIDE:] = False
    face = found(1, at=(0.0, 0.0), half=8.0)
    assert look(bundle, drawn=drawn, sees=(face,)).missed == (face,)
    assert look(bundle, drawn=drawn, suspects=(face,)).missed == (face,)


def test_a_suspect_in_a_drawn_place_that_shows_what_it_did_is_missed(bundle: Bundle) -> None:
    inside = found(0, half=9.0)
    assert look(bundle, suspects=(inside,)).missed == ()
    assert look(bundle, with_first_face(SHOWN, ORIGINAL), suspects=(inside,)).missed == (inside,)


def test_half_of_a_known_face_must_be_drawn(bundle: Bundle) -> None:
    drawn = DRAWN.copy()
    middle = int(LANDMARKS[0].mean(axis=0)[1])
    drawn[: middle - 2, :SIDE] = False
    assert look(bundle, sees=(found(0),), drawn=drawn).missed == ()
    drawn[: middle + 4, :SIDE] = False
    assert len(look(bundle, sees=(found(0),), drawn=drawn).missed) == 1


def around_first_landmarks(count: int) -> np.ndarray:
    """What was drawn: the second face, and the places of some of the first one's landmarks."""
    drawn = DRAWN.copy()
    drawn[:, :SIDE] = False
    for x, y in LANDMARKS[0][:count].astype(int):
        drawn[y - 1 : y + 2, x - 1 : x + 2] = True
    return drawn


BADLY_SEEN = found(0, half=30.0)
"""A new face that the finder sees a second time, in a box that is too large to have been drawn over."""


def test_a_new_face_that_is_badly_seen_is_not_missed(bundle: Bundle) -> None:
    drawn = around_first_landmarks(5)
    assert look(bundle, drawn=drawn, sees=(BADLY_SEEN,)).missed == (BADLY_SEEN,), "the same is seen without the drawing"
    assert look(bundle, drawn=drawn, finder=SeesOurs(BADLY_SEEN)).missed == ()
    assert look(bundle, drawn=around_first_landmarks(3), finder=SeesOurs(BADLY_SEEN)).missed == ()


@pytest.mark.parametrize(
    "left",
    [
        {"drawn": around_first_landmarks(2)},
        {"finder": SeesOurs(BADLY_SEEN, found(0, half=4.0))},
        {"suspects": (found(0, half=24.0),)},
        {"finder": SeesOurs(replace(BADLY_SEEN, landmarks=np.full((5, 2), np.nan)))},
        {"finder": SeesOurs(replace(BADLY_SEEN, landmarks=LANDMARKS[0] - 1000.0))},
        {"finder": SeesOurs(found(0, half=18.0)), "drawn": around_first_landmarks(5)},
    ],
    ids=["landmarks", "still seen", "in the original", "no landmarks", "landmarks outside", "known, not drawn"],
)
def test_what_may_be_more_than_a_new_face_is_missed(bundle: Bundle, left: dict[str, Any]) -> None:
    given: dict[str, Any] = {"drawn": around_first_landmarks(5), "finder": SeesOurs(BADLY_SEEN), **left}
    assert any(face is given["finder"].face for face in look(bundle, **given).missed)


def test_a_judge_that_does_not_know_a_stored_face_stops_everything(bundle: Bundle) -> None:
    asked = SecondLook(bundle, FixedFinder(), gate=[PatchJudge()])
    known = places()
    asked.check_judges(ORIGINAL, known)
    swapped = [replace(known[number], references=known[1 - number].references) for number in (0, 1)]
    with pytest.raises(JudgeError, match="embedded again"):
        asked.check_judges(ORIGINAL, swapped)


def test_an_auditor_that_knows_nobody_stops_everything(bundle: Bundle) -> None:
    auditor = Says(lambda row: row * 0 + 1 / len(row) ** 0.5)
    auditor.name = "blind"
    asked = SecondLook(bundle, FixedFinder(), gate=[PatchJudge()], others=[auditor])
    known = [replace(place, references=(place.references[0], np.full(64, 64**-0.5))) for place in places()]
    with pytest.raises(JudgeError, match="blind: a face and another picture come out equal"):
        asked.check_judges(ORIGINAL, known)


def test_references_are_what_every_judge_sees(bundle: Bundle) -> None:
    asked = SecondLook(bundle, FixedFinder(), gate=[PatchJudge()], others=[Says(lambda row: -row)])
    gate, other = asked.references(ORIGINAL, LANDMARKS[0])
    np.testing.assert_array_equal(gate, PatchJudge().embed(ORIGINAL, [LANDMARKS[0]])[0])
    np.testing.assert_array_equal(other, -gate)
