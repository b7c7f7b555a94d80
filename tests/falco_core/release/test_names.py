import unicodedata
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falco_core.errors import ProjectError
from falco_core.release.names import LONGEST, kept_names, opaque_name, project_secret

SECRET = bytes(range(32))


def names_of(*photos: str, photo_format: str = "PNG") -> dict[str, str]:
    return kept_names(dict.fromkeys(photos, photo_format), photos)


def same(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def test_names_that_can_be_kept_are_kept() -> None:
    photos = ("a.png", "people/Anna.png", "Straße & Café/büro am fenster.png", "people/b.PNG")
    assert names_of(*photos) == {photo: photo for photo in photos}


def test_names_that_differ_in_case_or_unicode_form_alone_are_told_apart() -> None:
    composed, apart = unicodedata.normalize("NFC", "café.png"), unicodedata.normalize("NFD", "café.png")
    names = names_of("Photo.PNG", "photo.png", "straße.png", "strasse.png", composed, apart, "A/x.png", "a/x.png")
    assert len({same(name) for name in names.values()}) == 8
    assert names["Photo.PNG"] == "Photo.PNG"
    assert names["photo.png"].startswith("photo-") and names["photo.png"].endswith(".png")
    assert names["a/x.png"].startswith("a/x-")


def test_a_name_whose_format_changes_takes_nobody_elses_and_no_folders() -> None:
    photos = ("a.gif", "a.gif.png/inside.gif", "b.gif", "b.gif.png")
    names = kept_names({"a.gif": "GIF", "a.gif.png/inside.gif": "GIF", "b.gif": "GIF"}, photos)
    assert names["a.gif.png/inside.gif"] == "a.gif.png/inside.gif.png"
    assert names["a.gif"] not in ("a.gif.png", "a.gif")
    # b.gif.png is withheld this time and may be released the next.
    assert names["b.gif"] != "b.gif.png"
    assert all(name.endswith(".png") for name in names.values())


def test_long_names_are_shortened_and_told_apart() -> None:
    long = "g" * 251 + ".gif"
    names = kept_names({long: "GIF", "h" * 240 + "/" + long: "GIF", "g" * 250 + "h.gif": "GIF"}, ())
    parts = [part for name in names.values() for part in PurePosixPath(name).parts]
    assert max(len(part.encode()) for part in parts) <= LONGEST
    assert len(set(names.values())) == 3
    assert all(name.endswith(".png") for name in names.values())
    wide = "ü" * 120 + ".png"
    assert len(names_of(wide)[wide].encode()) <= LONGEST


@given(st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=90), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_names_become_names_that_any_file_system_tells_apart(stems: list[str]) -> None:
    photos = {f"{stem}/{stem}.gif" for stem in stems} | {f"{stem}.gif" for stem in stems} | {f"{s}.png" for s in stems}
    photos = {photo for photo in photos if not {".", ".."} & set(PurePosixPath(photo).parts)}
    formats = {photo: "GIF" if photo.endswith(".gif") else "PNG" for photo in photos}
    names = kept_names(formats, photos)
    assert len({same(name) for name in names.values()}) == len(photos)
    folders = {same(str(folder)) for name in names.values() for folder in PurePosixPath(name).parents}
    assert not folders & {same(name) for name in names.values()}


def test_opaque_names_keep_tree_and_format_and_nothing_else() -> None:
    photos = ("people/Jane Doe.JPG", "people/John.jpg", "places/Jane Doe.JPG", "Jane Doe.gif")
    names = [opaque_name(photo, f"{photo}.png" if photo.endswith("gif") else photo, SECRET) for photo in photos]
    parts = [PurePosixPath(name).parts for name in names]
    assert [len(each) for each in parts] == [2, 2, 2, 1]
    assert parts[0][0] == parts[1][0] != parts[2][0]
    assert len({each[-1] for each in parts}) == 4
    assert [PurePosixPath(name).suffix for name in names] == [".jpg", ".jpg", ".jpg", ".png"]
    assert not any(word in name for name in names for word in ("Jane", "John", "people", "places"))


def test_opaque_names_are_stable_with_the_secret_and_unknown_without_it() -> None:
    name = opaque_name("a/b.png", "a/b.png", SECRET)
    assert name == opaque_name("a/b.png", "a/b.png", SECRET)
    assert name != opaque_name("a/b.png", "a/b.png", bytes(32))


def test_the_projects_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / ".falco/names_secret"
    secret = project_secret(path)
    assert len(secret) == 32 and secret != bytes(32)
    assert path.stat().st_mode & 0o777 == 0o600
    assert project_secret(path) == secret
    path.write_bytes(b"short")
    with pytest.raises(ProjectError, match="delete it"):
        project_secret(path)
