from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import falco_core.faces.ladder
from falco_core.bundles.bundle import load_bundle
from falco_core.errors import JudgeError
from falco_core.faces.align import crop_quad
from falco_core.faces.conceal import Concealment, conceal
from falco_core.faces.find import FoundFace
from falco_core.faces.ladder import ROUNDS, Climb, Composition
from falco_core.faces.place import Drawing, Place
from falco_core.judges.second_look import FaceCheck, Findings, SecondLook
from falco_core.photos.codec import Photo, decode_photo, encode_photo
from falco_core.reasons import Cause, Reason
from falco_core.release.mark import MARK
from tests.falco_core.judges.helpers import PatchJudge, two_faces

ORIGINAL, POINTS = two_faces(0)
PHOTO = Photo(ORIGINAL, "PNG")
STRANGER = two_faces(5)[0][:, :64]
"""A new face, uint8 [64, 64, 3]."""


def face(number: int = 0, *, half: float = 18.0) -> FoundFace:
    """The photo's face `number` as a finder finds it."""
    middle = POINTS[number].mean(axis=0)
    return FoundFace(np.concatenate([middle - half, middle + half]), POINTS[number], 0.9, 0.99, ("whole",))


def place(number: int = 0, *, cause: Cause | None = None) -> Place:
    """The photo's face `number`, with a new face unless there is a `cause`."""
    return Place(
        face=f"face-{number}",
        box=face(number).box,
        quad=crop_quad(POINTS[number]),
        landmarks=POINTS[number],
        references=(PatchJudge().embed(ORIGINAL, [POINTS[number]])[0],),
        crop=None if cause else STRANGER,
        mask=None if cause else np.ones((64, 64), dtype=np.float32),
        cause=cause,
    )


def check(number: int) -> FaceCheck:
    """A check that can be told from others."""
    return FaceCheck(True, number / 100, 0.5, (np.full(64, number, dtype=np.float32),), (0.1,))


class Scripted:
    """A second look that finds what it is told to: a list of (troubles, missed), one for each look."""

    judges = (PatchJudge(),)

    def __init__(self, *script: tuple[Sequence[Cause | None], Sequence[FoundFace]]) -> None:
        self._script = script
        self.looks: list[tuple[np.ndarray, Drawing]] = []

    def check_judges(self, pixels: np.ndarray, places: Sequence[Place]) -> None:
        """Content."""

    def suspects(self, pixels: np.ndarray) -> list[FoundFace]:
        return []

    def references(self, pixels: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, ...]:
        return (PatchJudge().embed(pixels, [landmarks])[0],)

    def look(
        self, original: np.ndarray, shown: np.ndarray, drawing: Drawing, suspects: Sequence[FoundFace]
    ) -> Findings:
        troubles, missed = self._script[min(len(self.looks), len(self._script) - 1)]
        self.looks.append((shown, drawing))
        checks = tuple(check(10 * len(self.looks) + number) for number in range(len(drawing.places)))
        padded = (*troubles, *[None] * (len(drawing.places) - len(troubles)))
        return Findings(checks, padded, tuple(missed))


def climbed(
    look: Scripted | SecondLook, *places: Place, otherwise: Concealment = Concealment.MOSAIC, photo: Photo = PHOTO
) -> Composition:
    climb = Climb(look=look, otherwise=otherwise, max_pixels=10**6)  # type: ignore[arg-type]
    return climb.compose(photo, places or (place(0), place(1)), name="photo")


def pixels_of(composition: Composition) -> np.ndarray:
    assert composition.data is not None
    return decode_photo(composition.data, max_pixels=10**6).pixels


MOST_CELLS = 8 * 8
"""Of a mosaic over a head."""


def colours(composition: Composition, number: int) -> int:
    """How many colours the file shows where the photo's face `number` was."""
    (left, top), (right, bottom) = face(number).box.reshape(2, 2).round().astype(int)
    return len(np.unique(pixels_of(composition)[top:bottom, left:right].reshape(-1, 3), axis=0))


CLEAN = ((), ())
UNCHANGED = ((Cause.UNCHANGED,), ())


def test_a_new_face_that_passes_goes_out_as_it_was_judged() -> None:
    look = Scripted(CLEAN)
    composition = climbed(look)
    assert composition.reason is None
    assert [(outcome.place.cause, outcome.anonymized) for outcome in composition.outcomes] == [(None, True)] * 2
    ((shown, drawing),) = look.looks
    np.testing.assert_array_equal(pixels_of(composition), shown)
    assert (pixels_of(composition)[drawing.drawn] != ORIGINAL[drawing.drawn]).mean() > 0.9


def test_only_the_face_in_trouble_is_concealed() -> None:
    look = Scripted(UNCHANGED, CLEAN)
    composition = climbed(look)
    first, second = composition.outcomes
    assert (first.place.cause, first.place.crop, first.place.plain) == (Cause.UNCHANGED, None, False)
    assert second.place.cause is None
    assert colours(composition, 0) <= MOST_CELLS < colours(composition, 1)


def test_a_mosaic_in_trouble_becomes_one_colour() -> None:
    composition = climbed(Scripted(UNCHANGED, UNCHANGED, CLEAN), place(0))
    (outcome,) = composition.outcomes
    assert (outcome.place.cause, outcome.place.plain) == (Cause.UNCHANGED, True)
    region = conceal(ORIGINAL, face(0).box, Concealment.SOLID).region
    assert len(np.unique(pixels_of(composition)[region], axis=0)) == 1


def test_one_colour_in_trouble_withholds_the_photo() -> None:
    look = Scripted(UNCHANGED)
    composition = climbed(look, place(0))
    assert (composition.data, composition.reason) == (None, Reason.STILL_RECOGNISABLE)
    assert "face-0: unchanged" in composition.detail
    assert len(look.looks) == 3


def test_a_missed_face_is_concealed() -> None:
    look = Scripted(((), (face(1), face(1, half=17.0))), CLEAN)
    composition = climbed(look, place(0))
    known, missed = composition.outcomes
    assert known.place.cause is None
    assert (missed.place.face, missed.place.cause) == ("photo-s00", Cause.MISSED_AT_FIRST)
    assert not missed.anonymized
    np.testing.assert_array_equal(missed.place.references[0], PatchJudge().embed(ORIGINAL, [POINTS[1]])[0])
    assert colours(composition, 1) <= MOST_CELLS < colours(composition, 0)


def test_what_is_missed_again_and_again_withholds_the_photo() -> None:
    look = Scripted(((), (face(1),)))
    composition = climbed(look, place(0))
    assert (composition.data, composition.reason) == (None, Reason.LEFTOVER_FACE)
    assert len(look.looks) == ROUNDS + 1
    names = [outcome.place.face for outcome in composition.outcomes]
    assert names == ["face-0", "photo-s00", "photo-s01", "photo-s02"]


@pytest.mark.parametrize("script", [(UNCHANGED, CLEAN), (((), (face(1),)), CLEAN)])
def test_who_wants_nothing_concealed_gets_the_photo_withheld(script: Sequence[tuple]) -> None:  # type: ignore[type-arg]
    composition = climbed(Scripted(*script), place(0), otherwise=Concealment.WITHHOLD)
    assert (composition.data, composition.reason) == (None, Reason.FACE_NOT_REPLACED)


def test_who_wants_nothing_concealed_need_not_look_at_a_face_without_a_new_one() -> None:
    look = Scripted(CLEAN)
    composition = climbed(look, place(0), place(1, cause=Cause.TOO_SMALL), otherwise=Concealment.WITHHOLD)
    assert (composition.data, composition.reason) == (None, Reason.FACE_NOT_REPLACED)
    assert look.looks == []


def original_file(photo: Photo, *, xmp: bytes) -> bytes:
    return encode_photo(PHOTO, xmp=xmp)


def turned_file(photo: Photo, *, xmp: bytes) -> bytes:
    return encode_photo(replace(photo, pixels=np.ascontiguousarray(np.rot90(photo.pixels))), xmp=xmp)


@pytest.mark.parametrize("encode", [original_file, turned_file])
def test_a_file_that_is_not_what_was_drawn_is_withheld(
    monkeypatch: pytest.MonkeyPatch, encode: Callable[..., bytes]
) -> None:
    monkeypatch.setattr(falco_core.faces.ladder, "encode_photo", encode)
    look = Scripted(CLEAN)
    composition = climbed(look)
    assert (composition.data, composition.reason) == (None, Reason.NOT_WHAT_WAS_DRAWN)
    assert look.looks == []


def test_a_place_that_nothing_is_drawn_over_is_withheld() -> None:
    far = place(0)
    beyond = replace(far, box=far.box + 900, quad=far.quad + 900, landmarks=far.landmarks + 900)
    assert climbed(Scripted(CLEAN), beyond).reason is Reason.NOT_WHAT_WAS_DRAWN


def test_the_checks_of_the_first_and_the_last_look_are_kept() -> None:
    composition = climbed(Scripted(UNCHANGED, ((), (face(1),)), CLEAN), place(0))
    known, missed = composition.outcomes
    assert (known.first.likeness, known.last.likeness) == (0.10, 0.30)
    assert known.anonymized
    assert (missed.first.likeness, missed.last.likeness) == (0.31, 0.31)


def test_transparency_keeps_nothing_of_a_face() -> None:
    alpha = np.zeros(ORIGINAL.shape[:2], dtype=np.uint8)
    look = Scripted(CLEAN)
    composition = climbed(look, photo=Photo(ORIGINAL, "PNG", alpha=alpha))
    assert composition.data is not None
    written = decode_photo(composition.data, max_pixels=10**6).alpha
    assert written is not None
    np.testing.assert_array_equal(written == 255, look.looks[0][1].drawn)


def test_a_face_that_transparency_keeps_showing_withholds_its_photo() -> None:
    look = Scripted(CLEAN)
    shown: list[np.ndarray] = []

    def suspects(pixels: np.ndarray) -> list[FoundFace]:
        shown.append(pixels)
        return [] if pixels is ORIGINAL else [face(1)]

    look.suspects = suspects  # type: ignore[method-assign]
    alpha = np.full(ORIGINAL.shape[:2], 100, dtype=np.uint8)
    composition = climbed(look, photo=Photo(ORIGINAL, "PNG", alpha=alpha))
    assert (composition.data, composition.reason) == (None, Reason.DRAWN_BY_TRANSPARENCY)
    assert len(shown) > 3


def test_what_a_file_loses_is_said_and_what_it_is_marked_with_is_in_it() -> None:
    photo = Photo(ORIGINAL, "PNG", loss="16 bits per channel became 8")
    climb = Climb(look=Scripted(CLEAN), otherwise=Concealment.MOSAIC, max_pixels=10**6, xmp=MARK)  # type: ignore[arg-type]
    composition = climb.compose(photo, [place()], name="n")
    assert composition.detail == photo.loss
    assert composition.data is not None and MARK in composition.data


def test_a_sepia_photo_gets_a_sepia_face() -> None:
    sepia = np.rint(ORIGINAL.mean(axis=2, keepdims=True) * (1.0, 0.87, 0.68)).astype(np.uint8)
    look = Scripted(CLEAN)
    assert climbed(look, photo=Photo(sepia, "PNG")).data is not None
    shown = look.looks[0][0].astype(float)
    drawn = look.looks[0][1].drawn
    assert np.abs(shown[drawn][:, 1] - 0.87 * shown[drawn][:, 0]).max() <= 4
    assert (shown[drawn] != sepia[drawn]).any()


class Finds:
    """Finds the same faces in every photo."""

    def __init__(self, *faces: FoundFace) -> None:
        self._faces = list(faces)

    def find(self, pixels: np.ndarray) -> list[FoundFace]:
        return self._faces


@pytest.fixture
def look(tiny_bundle_folder: Path) -> SecondLook:
    """A second look that really judges."""
    return SecondLook(load_bundle(tiny_bundle_folder), Finds(face(0), face(1)), gate=[PatchJudge()])


def test_judged_for_real_a_stranger_goes_out_and_the_original_is_concealed(look: SecondLook) -> None:
    same = replace(place(1), crop=np.ascontiguousarray(ORIGINAL[:, 64:]), quad=place(1).quad)
    square = np.array([[64.0, 0.0], [64.0, 64.0], [128.0, 64.0], [128.0, 0.0]])
    composition = climbed(look, place(0), replace(same, quad=square))
    assert composition.reason is None
    assert [outcome.place.cause for outcome in composition.outcomes] == [None, Cause.UNCHANGED]
    assert composition.outcomes[1].first.likeness > 0.9 > composition.outcomes[1].last.likeness


def test_judged_for_real_a_face_nobody_drew_for_is_concealed(look: SecondLook) -> None:
    composition = climbed(look, place(0))
    assert composition.reason is None
    assert [outcome.place.cause for outcome in composition.outcomes] == [None, Cause.MISSED_AT_FIRST]


def test_a_judge_that_does_not_work_stops_everything(look: SecondLook) -> None:
    negated = replace(place(0), references=tuple(-reference for reference in place(0).references))
    with pytest.raises(JudgeError):
        climbed(look, negated)
