from pathlib import Path

from falco_core.datasets.folder import list_photos


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
