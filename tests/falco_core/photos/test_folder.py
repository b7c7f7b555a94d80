import contextlib
import os
import socket
from pathlib import Path

import pytest

from falco_core.photos.folder import HIDDEN, OTHER_FORMAT, list_photos


def test_photos_of_the_whole_tree_in_order_and_the_rest_apart(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/ü b.webp", "notes.txt", ".hidden.jpg", ".cache/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    photos, others = list_photos(tmp_path)
    assert [str(photo) for photo in photos] == ["a/c.png", "a/ü b.webp", "b.JPG"]
    assert [(other.path, other.cause) for other in others] == [
        (".cache", HIDDEN),
        (".hidden.jpg", HIDDEN),
        ("notes.txt", OTHER_FORMAT),
    ]


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
    photos, others = list_photos(root)
    assert [str(photo) for photo in photos] == ["inside.jpg", "own.jpg"]
    assert {other.path: other.cause for other in others} == {
        "broken.jpg": "a link to nothing",
        "folder": "a link that leads out of the photo folder",
        "out.jpg": "a link that leads out of the photo folder",
    }


def test_a_name_that_is_not_unicode_does_not_stop_the_run(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).touch()
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    (tmp_path / "b.jpg").touch()
    photos, others = list_photos(tmp_path)
    assert [str(photo) for photo in photos] == ["b.jpg"]
    assert [(other.path, other.cause) for other in others] == [("caf?.jpg", "its name is not UTF-8: rename it")]


def test_a_link_in_a_circle_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "up").symlink_to(tmp_path)
    photos, others = list_photos(tmp_path)
    assert photos == []
    assert [other.path for other in others] == ["a.jpg", "b.jpg", "up"]


def test_what_a_reader_would_wait_for_is_named_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "endless.jpg").symlink_to("/dev/zero")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/link").symlink_to(tmp_path / "deep", target_is_directory=True)
    (tmp_path / "in.jpg").symlink_to(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        with contextlib.chdir(tmp_path):  # a socket's path may not be long
            listener.bind("sock.png")
        photos, others = list_photos(tmp_path)
    assert photos == []
    assert all(other.disturbs for other in others)
    assert {other.path: other.cause for other in others} == {
        "deep/link": "a link to a folder",
        "endless.jpg": "a link that leads out of the photo folder",
        "in.jpg": "a FIFO",
        "pipe.jpg": "a FIFO",
        "sock.png": "a socket",
    }
