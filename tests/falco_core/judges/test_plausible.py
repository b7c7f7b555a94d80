"""Known values: a face in its own place, strangers in it, and faces that are broken in one way each."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from falco_core.anonymize.attempts import composite
from falco_core.faces.align import crop_quad, extract_crop, landmarks_in_crop
from falco_core.faces.mask import face_mask
from falco_core.judges.plausible import Look, Plausibility, Quality, step, unit_of
from falco_core.project.params import ComposeParams
from falco_rendered.parameters import sample_latents
from falco_rendered.renderer import render_portrait

SIZE = 128
LIMIT = ComposeParams().min_quality
SEEDS = (101, 103, 105)


@dataclass(frozen=True)
class Face:
    crop: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray

    def inside(self, picture: np.ndarray) -> np.ndarray:
        """The crop with a picture in its face."""
        weight = self.mask[..., None]
        return np.asarray((self.crop + weight * (picture.astype(np.float32) - self.crop)).round().astype(np.uint8))

    def dark(self, share: float) -> "Face":
        return Face((self.crop * share).astype(np.uint8), self.mask, self.landmarks)


@pytest.fixture(scope="module")
def plausibility() -> Plausibility:
    return Plausibility()


@pytest.fixture(scope="module")
def people() -> list[Face]:
    return [rendered(seed) for seed in SEEDS]


def rendered(seed: int) -> Face:
    render = render_portrait(sample_latents(1, seed=seed), size=256)
    picture = ((render.images[0] + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    points = render.landmarks[0].numpy().astype(np.float64)
    quad = crop_quad(points)
    crop, inside = extract_crop(picture, quad, SIZE), landmarks_in_crop(points, quad, SIZE)
    return Face(crop, face_mask(crop, inside)[0], inside)


def quality(plausibility: Plausibility, face: Face, shown: np.ndarray, fidelity: float = 0.8) -> Quality:
    seen = plausibility.look(shown, face.landmarks)
    return plausibility.quality(
        face.crop, shown, mask=face.mask, landmarks=face.landmarks, fidelity=fidelity, seen=seen
    )


def test_a_face_in_its_own_place_has_no_fault(plausibility: Plausibility, people: list[Face]) -> None:
    for face in people:
        assert quality(plausibility, face, face.crop).value == 1.0


def test_another_rendered_face_is_plausible(plausibility: Plausibility, people: list[Face]) -> None:
    for face, other in zip(people, [*people[1:], people[0]], strict=True):
        shown = composite(face.crop, other.crop, landmarks=face.landmarks, mask=face.mask)
        assert quality(plausibility, face, shown).value > 1.5 * ComposeParams().min_quality


def test_a_dark_photo_with_its_own_light_has_no_fault(plausibility: Plausibility, people: list[Face]) -> None:
    for face in people:
        dark = face.dark(0.2)
        assert quality(plausibility, dark, dark.crop).value == 1.0


def shifted(crop: np.ndarray) -> np.ndarray:
    return np.roll(crop, SIZE // 5, axis=0)


def green(crop: np.ndarray) -> np.ndarray:
    return np.asarray((crop * np.array([0.5, 1.0, 0.5])).astype(np.uint8))


def blob(crop: np.ndarray) -> np.ndarray:
    return np.full_like(crop, 128)


def upside_down(crop: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(crop[::-1, ::-1])


def without_an_eye(crop: np.ndarray) -> np.ndarray:
    """Skin goes on where the left eye and its brow are in aligned crops."""
    place = np.zeros(crop.shape[:2], dtype=np.uint8)
    cv2.ellipse(place, (3 * SIZE // 8, 4 * SIZE // 9), (SIZE // 7, SIZE // 8), 0, 0, 360, 1, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(cv2.inpaint(crop, place, 5, cv2.INPAINT_TELEA), (0, 0), 3.0))


def smeared(crop: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), SIZE / 8))


BROKEN: list[tuple[Callable[[np.ndarray], np.ndarray], str]] = [
    (shifted, "placed"),
    (green, "tone"),
    (blob, "detected"),
    (upside_down, "detected"),
    (smeared, "detected"),
    (without_an_eye, "drawn"),
]


@pytest.mark.parametrize(("broken", "fault"), BROKEN)
def test_a_broken_face_falls_below_the_limit_for_its_own_fault(
    plausibility: Plausibility, people: list[Face], broken: Callable[[np.ndarray], np.ndarray], fault: str
) -> None:
    for face in people:
        found = quality(plausibility, face, face.inside(broken(face.crop)))
        assert found.value < LIMIT
        assert getattr(found, fault) < LIMIT


def test_a_face_much_too_bright_for_its_dark_photo_is_broken(plausibility: Plausibility, people: list[Face]) -> None:
    for face in people:
        dark = face.dark(0.25)
        found = quality(plausibility, dark, dark.inside(face.crop))
        assert found.light < LIMIT
        assert found.detected == found.placed == 1.0


def test_eyes_that_glow_in_the_dark_are_broken(plausibility: Plausibility, people: list[Face]) -> None:
    for face in people:
        dark = face.dark(0.25)
        shown = dark.crop.copy()
        for x, y in dark.landmarks[:2].round().astype(int):
            cv2.ellipse(shown, (int(x), int(y)), (7, 4), 0, 0, 360, (200, 200, 200), cv2.FILLED, cv2.LINE_AA)
        found = quality(plausibility, dark, shown)
        assert found.glow < LIMIT
        assert found.drawn == 1.0


def test_a_grey_photo_may_have_a_grey_face(plausibility: Plausibility, people: list[Face]) -> None:
    grey = np.repeat(people[0].crop.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    face = Face(grey, people[0].mask, people[0].landmarks)
    assert quality(plausibility, face, grey).tone == 1.0


def test_coloured_light_on_everything_is_no_fault(plausibility: Plausibility, people: list[Face]) -> None:
    face = Face(green(people[0].crop), people[0].mask, people[0].landmarks)
    assert quality(plausibility, face, face.crop).tone == 1.0


def test_a_face_that_lies_where_the_finder_saw_it_upright_is_broken(
    plausibility: Plausibility, people: list[Face], monkeypatch: pytest.MonkeyPatch
) -> None:
    lying = Look(0.999, SIZE - people[0].landmarks)
    upright = Look(0.999, people[0].landmarks)
    monkeypatch.setattr(plausibility, "look", lambda *_: lying)
    face = people[0]
    found = plausibility.quality(
        face.crop, face.crop, mask=face.mask, landmarks=face.landmarks, fidelity=0.8, seen=upright
    )
    assert (found.aligned, found.placed) == (0.0, 1.0)


@pytest.mark.parametrize("fidelity", [float("nan"), -1.0, -0.2])
def test_an_inversion_of_nobody_is_no_plausible_face(
    plausibility: Plausibility, people: list[Face], fidelity: float
) -> None:
    assert quality(plausibility, people[0], people[0].crop, fidelity).value == 0.0


def test_steps_are_straight_lines_between_their_ends() -> None:
    assert [step(value, 0.2, 0.6) for value in (0.0, 0.2, 0.3, 0.6, 2.0)] == pytest.approx([0, 0, 0.25, 1, 1])
    assert [step(value, 0.6, 0.2) for value in (0.0, 0.2, 0.5, 0.6, np.inf)] == pytest.approx([1, 1, 0.25, 0, 0])
    assert step(float("nan"), 0.2, 0.6) == 0.0


def test_the_value_is_the_product_of_the_steps() -> None:
    assert Quality(1.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 0.8).value == pytest.approx(0.2)


def test_the_unit_is_the_larger_of_two_distances() -> None:
    points = np.array([[10.0, 10.0], [40.0, 10.0], [25.0, 20.0], [15.0, 30.0], [35.0, 30.0]])
    assert unit_of(points) == pytest.approx(30.0)
    assert unit_of(points * [0.5, 1.0]) == pytest.approx(20.0)
