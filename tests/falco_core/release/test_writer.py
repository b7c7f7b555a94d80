import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from falco_core.errors import ProjectError
from falco_core.judges.metrics import Faces, Judged, Mean, Photos, Rate
from falco_core.photos.codec import Photo, encode_photo
from falco_core.release.manifest import Manifest
from falco_core.release.writer import ReleaseFile, Written, write_release

MANIFEST = Manifest(
    falco="0",
    bundle="mini 1",
    params="d",
    margin=0.0,
    photos=Photos(total=1, released=1, withheld=0),
    faces=Faces(replaced=1, concealed=0, causes={}),
    judges=Judged(people="real", gate=("dlib",), audit=(), notices=()),
    identity=(),
    first_attempts_recognised=Rate.of(0, 1),
    attribute_similarity=Mean.of([0.9]),
)


PNG = encode_photo(Photo(np.zeros((4, 4, 3), dtype=np.uint8), "PNG"))


def judged(name: str, data: bytes = PNG, *, photo: str = "", original: str = "") -> ReleaseFile:
    return ReleaseFile(name, hashlib.sha256(data).hexdigest(), data, photo or name, original)


def write(files: Iterable[ReleaseFile], target: Path) -> list[Written]:
    return write_release(files, target, lambda _: MANIFEST)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_release_replaces_the_one_before_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "release"
    write([judged("one.png"), judged("deep/two.png")], target)
    assert files(target) == ["manifest.json", "photos/deep/two.png", "photos/one.png"]
    write([judged("x.png")], target)
    assert files(target) == ["manifest.json", "photos/x.png"]


def test_a_foreign_folder_is_never_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "release"
    target.mkdir()
    (target / "thesis.tex").write_text("years of work")
    with pytest.raises(ProjectError, match="not a falco release"):
        write([judged("one.png")], target)
    assert files(target) == ["thesis.tex"]


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"name": "an app", "icons": []}'])
def test_a_manifest_of_another_program_is_no_release(tmp_path: Path, text: str) -> None:
    target = tmp_path / "release"
    target.mkdir()
    (target / "manifest.json").write_text(text)
    with pytest.raises(ProjectError, match="not a falco release"):
        write([judged("one.png")], target)
    assert (target / "manifest.json").read_text() == text


def test_a_file_or_a_link_in_the_place_of_the_release_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "broken").symlink_to(tmp_path / "nothing")
    for name in ("file", "link", "broken"):
        with pytest.raises(ProjectError, match="not a falco release"):
            write([judged("one.png")], tmp_path / name)
    assert (tmp_path / "file").read_text() == "a file"
    assert files(tmp_path / "elsewhere") == []


def test_an_empty_folder_and_the_leavings_of_a_killed_run_are_no_hindrance(tmp_path: Path) -> None:
    for name in ("release", ".release.partial/photos", ".release.before/photos"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".release.partial" / "photos" / "half.png").touch()
    write([judged("one.png")], tmp_path / "release")
    assert files(tmp_path / "release") == ["manifest.json", "photos/one.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["release"]


def test_a_release_that_breaks_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "release"
    write([judged("one.png")], target)

    def breaks() -> Iterator[ReleaseFile]:
        yield judged("two.png")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(breaks(), target)
    assert files(target) == ["manifest.json", "photos/one.png"]


def test_a_file_that_was_changed_after_it_was_judged_is_not_released(tmp_path: Path) -> None:
    changed = replace(judged("one.png"), data=b"something else")
    with pytest.raises(ProjectError, match="not the file that was judged"):
        write([changed], tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_the_times_of_files_say_nothing(tmp_path: Path) -> None:
    write([judged("b.png"), judged("a.png")], tmp_path / "release")
    assert len({path.stat().st_mtime for path in (tmp_path / "release/photos").iterdir()}) == 1


def test_a_file_that_the_audit_does_not_let_go_stops_no_other_and_is_named(tmp_path: Path) -> None:
    counted: list[int] = []

    def manifest(files: Sequence[Written]) -> Manifest:
        counted.append(sum(not each.findings for each in files))
        return MANIFEST

    planted = [
        judged("secret.png", PNG + b"SECRET", photo="my secret.png"),
        judged("deep/original.png", original=hashlib.sha256(PNG).hexdigest()),
        judged("../../out.png"),
        judged("/tmp/out.png"),
        judged("good.png"),
        judged("good.png", photo="another.png"),
        judged("photo.jpg"),
        judged("good.png/inside.png"),
        judged("x" * 300 + ".png", photo="long.png"),
    ]
    written = write_release(planted, tmp_path / "project/release", manifest)
    assert files(tmp_path) == ["project/release/manifest.json", "project/release/photos/good.png"]
    assert counted == [1]
    found = {each.file.photo: ", ".join(each.findings) for each in written}
    assert "behind" in found["my secret.png"]
    assert "original" in found["deep/original.png"]
    assert "leads out" in found["../../out.png"] and "leads out" in found["/tmp/out.png"]
    assert found["good.png"] == "" and "another photo has" in found["another.png"]
    assert "not of its format" in found["photo.jpg"]
    assert "cannot be written" in found["good.png/inside.png"] and "cannot be written" in found["long.png"]
    assert not any(each.file.data for each in written)
