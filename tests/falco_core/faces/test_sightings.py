import numpy as np
import pytest

from falco_core.faces.centerface import Seen
from falco_core.faces.sightings import Sighting, join
from falco_core.faces.views import View


def seen(*boxes: tuple[float, float, float, float, float]) -> Seen:
    """Faces given as x0, y0, x1, y1, score."""
    rows = np.array(boxes, float).reshape(-1, 5)
    return Seen(rows[:, :4], np.zeros((len(rows), 5, 2)), rows[:, 4])


def view(scale: float, *, name: str = "whole", part: int = 0, inner: bool = False, border: int = 0) -> View:
    """A view of 200 x 200 pixels; with `inner`, its right side lies inside the photo."""
    corner = np.full(2, -border * scale)
    pixels = np.zeros((200 + 2 * border, 200 + 2 * border, 3), np.uint8)
    return View(name, part, pixels, np.full(2, scale), corner, (False, False, inner, False), border)


def joined(*looks: tuple[View, Seen]) -> list[Sighting]:
    sightings: list[Sighting] = []
    for one, faces in looks:
        join(sightings, one, faces)
    return sightings


def test_a_face_that_two_views_show_is_one_with_the_better_score() -> None:
    coarse = view(4, name="coarse"), seen((10, 10, 30, 40, 0.5))
    fine = view(1, name="fine"), seen((42, 38, 121, 160, 0.8))
    (face,) = joined(coarse, fine)
    assert face.score == 0.8
    assert face.box == pytest.approx([42, 38, 121, 160])
    assert face.views == ("fine", "coarse")


def test_boxes_that_a_large_face_is_split_into_are_joined() -> None:
    coarse = view(8, name="coarse"), seen((40, 40, 120, 160, 0.6))
    fine = view(1, name="fine"), seen((350, 350, 640, 700, 0.9), (600, 800, 900, 1200, 0.4))
    (face,) = joined(coarse, fine)
    assert face.score == 0.9
    assert face.box == pytest.approx([320, 320, 960, 1280])


def test_small_faces_before_a_large_one_stay_faces() -> None:
    coarse = view(8, name="coarse"), seen((40, 40, 120, 160, 0.6))
    fine = view(1, name="fine"), seen((500, 500, 560, 590, 0.9), (700, 600, 760, 690, 0.8))
    assert len(joined(coarse, fine)) == 3  # 8 x 11 pixels of the coarse view: it could not have seen them


def test_what_an_unsure_coarse_view_shows_takes_nothing_in() -> None:
    coarse = view(8, name="coarse"), seen((40, 40, 120, 160, 0.1))
    fine = view(1, name="fine"), seen((350, 350, 640, 700, 0.9), (600, 800, 900, 1200, 0.4))
    assert len(joined(coarse, fine)) == 3


def test_two_faces_of_one_view_are_never_one() -> None:
    coarse = view(4, name="coarse"), seen((10, 10, 30, 40, 0.5))
    fine = view(1, name="fine"), seen((40, 40, 90, 160, 0.8), (80, 40, 120, 160, 0.7))
    assert len(joined(coarse, fine)) == 2


def test_what_a_tiles_border_leaves_of_a_face_is_that_face() -> None:
    left = view(1, name="tiles", part=0, inner=True), seen((170, 50, 200, 130, 0.9))
    right = View("tiles", 1, np.zeros((200, 200, 3), np.uint8), np.ones(2), np.array([150.0, 0.0]))
    (face,) = joined((view(2), seen((85, 25, 115, 65, 0.7))), left, (right, seen((20, 50, 80, 130, 0.6))))
    assert face.score == 0.9
    assert face.box == pytest.approx([170, 50, 230, 130])


def test_a_mirrored_border_makes_a_known_face_surer_and_places_what_is_cut() -> None:
    plain = view(1), seen((0, 50, 20, 110, 0.2))
    mirrored = view(1, name="mirrored", border=20), seen((2, 75, 40, 135, 0.8))
    (face,) = joined(plain, mirrored)
    assert (face.score, face.border_score) == (0.2, 0.8)
    assert face.box == pytest.approx([0, 55, 20, 115])


def test_a_mirrored_border_does_not_move_a_face_that_is_surely_seen() -> None:
    plain = view(1), seen((0, 50, 20, 110, 0.6))
    mirrored = view(1, name="mirrored", border=20), seen((2, 75, 40, 135, 0.8))
    (face,) = joined(plain, mirrored)
    assert face.border_score == 0.8
    assert face.box == pytest.approx([0, 50, 20, 110])


def test_a_mirrored_border_shows_faces_that_nothing_else_shows_up_to_the_photos_border() -> None:
    mirrored = view(2, name="mirrored", border=20), seen((190, 60, 240, 130, 0.7))
    (face,) = joined((view(1), seen()), mirrored)
    assert (face.score, face.border_score) == (0.0, 0.7)
    assert face.box == pytest.approx([340, 80, 400, 220])
    assert face.views == ("mirrored",)


def test_a_mirrored_border_says_nothing_of_faces_away_from_it_or_mirrored_altogether() -> None:
    plain = view(1), seen((60, 60, 100, 120, 0.2))
    mirrored = view(1, name="mirrored", border=20), seen((80, 80, 120, 140, 0.8), (214, 60, 244, 120, 0.7))
    (face,) = joined(plain, mirrored)
    assert (face.score, face.border_score) == (0.2, 0.0)


def test_a_tile_is_mirrored_at_the_photos_border_alone() -> None:
    left = View(
        "mirrored_tiles",
        0,
        np.zeros((240, 220, 3), np.uint8),
        np.ones(2),
        np.array([-20.0, -20.0]),
        inner=(False, False, True, False),
        border=20,
    )
    at_left, at_inner_side = (0, 60, 60, 130, 0.7), (190, 60, 240, 130, 0.7)
    (face,) = joined((left, seen(at_left, at_inner_side)))
    assert face.box == pytest.approx([0, 40, 40, 110])
