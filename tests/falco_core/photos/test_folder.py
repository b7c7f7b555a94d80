import os
from pathlib import Path

import pytest

from falco_core.photos.folder import list_photos


def test_photos_of_the_whole_tree_in_order_and_the_rest_apart(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/ü b.webp", "notes.txt", ".hidden.jpg", ".cache/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    photos, others = list_photos(tmp_path)
    assert [str(photo) for photo in photos] == ["a/c.png", "a/ü b.webp", "b.JPG"]
    assert [str(other) for other in others] == ["notes.txt"]


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (elsewhere / "private.jpg").touch()
    (root / "own.jpg").touch()
    (root / "inside.jpg").symlink_to(root / "own.jpg")
    (root / "out.jpg").symlink_to(elsewhere / "private.jpg")
    (root / "folder").symlink_to(elsewhere)
    (root / "broken.jpg").symlink_to(root / "nothing")
    photos, _ = list_photos(root)
    assert [str(photo) for photo in photos] == ["inside.jpg", "own.jpg"]


def test_a_name_that_is_not_unicode_does_not_stop_the_run(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).touch()
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    (tmp_path / "b.jpg").touch()
    photos, others = list_photos(tmp_path)
    assert [str(photo) for photo in photos] == ["b.jpg"]
    assert [str(other).encode() for other in others] == [b"caf?.jpg"]


def test_a_link_in_a_circle_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "up").symlink_to(tmp_path)
    assert list_photos(tmp_path) == ([], [])
