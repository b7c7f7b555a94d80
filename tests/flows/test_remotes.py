"""Two remotes, as folders and in S3: what goes where, and what a clone elsewhere has to do."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from falco_core.judges import recognisers
from falco_core.project.stages import STAGES
from flows.project import init_project
from flows.stage import run_stage
from tasks.batches import execute_here
from tests.falco_core.judges.helpers import StrokeJudge
from tests.flows.remotes import NAMES, Remotes, checked, folders
from tests.flows.runs import call
from tests.s3 import new_bucket, s3_server
from tests.tasks.test_stages import SETTINGS, small_copy

PHOTOS = ("open_sky.png", "office_window.png")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, demo_photos: Path, tiny_bundle_folder: Path) -> Path:
    """A finished project, committed to git."""
    root = tmp_path_factory.mktemp("finished")
    (root / "photos").mkdir()
    for name in PHOTOS:
        small_copy(demo_photos / name, root / "photos" / name)
    project = root / "project"
    init_project(project, photos=root / "photos", changes={"bundle": str(tiny_bundle_folder), **SETTINGS})
    with pytest.MonkeyPatch.context() as patch:
        judge = StrokeJudge()
        patch.setitem(recognisers._MAKERS, "rendered_heldout", lambda _: judge)
        patch.setattr(recognisers, "_MADE", {})
        for stage in STAGES:
            run_stage(stage.name, project, execute_here)
    checked("dvc", "commit", "--force", cwd=project)
    commit(project)
    return project


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished project; its photos stay where they are."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["folders", "s3"])
def remotes(request: pytest.FixtureRequest, tmp_path: Path) -> Remotes:
    if request.param == "folders":
        return folders(tmp_path)
    endpoint = request.getfixturevalue("s3")
    urls = {name: f"s3://{new_bucket(endpoint).name}/falco" for name in NAMES}
    return Remotes(urls, endpoint)


def commit(project: Path) -> None:
    checked("git", "add", ".", cwd=project)
    checked("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "A dataset", cwd=project)


def clone_of(project: Path) -> Path:
    clone = project.parent / "clone"
    checked("git", "clone", "--quiet", project, clone, cwd=project.parent)
    return clone


def released(project: Path) -> dict[str, bytes]:
    folder = project / "release"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def objects_of_release(project: Path) -> set[str]:
    """The md5 of each released file, and of the list of them that DVC keeps."""
    files = {name: hashlib.md5(data).hexdigest() for name, data in released(project).items()}
    rows = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items(), key=lambda file: file[0].split("/"))]
    return {*files.values(), hashlib.md5(json.dumps(rows).encode()).hexdigest() + ".dir"}


def test_a_clone_pulls_and_has_nothing_to_do(project: Path, remotes: Remotes) -> None:
    remotes.name_in(project)
    checked("dvc", "push", cwd=project)
    assert remotes.objects("public") == objects_of_release(project)
    assert not remotes.objects("private") & remotes.objects("public")
    commit(project)
    clone = clone_of(project)
    checked("dvc", "pull", cwd=clone)
    assert released(clone) == released(project)
    assert "up to date" in checked("dvc", "status", cwd=clone)
    done = checked("dvc", "repro", cwd=clone)
    assert "Running stage" not in done
    assert done.count("didn't change, skipping") == len(STAGES)
    assert checked("git", "status", "--porcelain", cwd=clone) == ""


def test_elsewhere_the_link_is_set_right_and_nothing_is_to_do(project: Path, tmp_path: Path) -> None:
    remotes = folders(tmp_path)
    remotes.name_in(project)
    checked("dvc", "push", cwd=project)
    commit(project)
    clone = clone_of(project)
    there = Path(shutil.copytree((project / ".falco/photos").resolve(), tmp_path / "there"))
    (clone / ".falco/photos").unlink()
    (clone / ".falco/photos").symlink_to("/nowhere/at/all")
    assert call("dvc", "status", cwd=clone).returncode != 0
    init_project(clone, photos=there)
    checked("dvc", "pull", cwd=clone)
    assert "up to date" in checked("dvc", "status", cwd=clone)
    for name in ("data", "reports", ".falco", ".dvc"):
        assert (clone / name).stat().st_mode & 0o077 == 0, name


def test_no_other_remote_gets_anything_not_even_the_default_one(project: Path, tmp_path: Path) -> None:
    checked("dvc", "remote", "add", "--default", "away", tmp_path / "away", cwd=project)
    call("dvc", "push", cwd=project)
    call("dvc", "push", "-r", "away", "data/faces", "./release", cwd=project)
    init_project(project, photos=None)
    call("dvc", "push", "--run-cache", cwd=project)
    assert not [path for path in (tmp_path / "away").rglob("*") if path.is_file()]


def test_a_remote_that_has_no_place_yet_is_an_error_that_says_how_to_give_it_one(project: Path) -> None:
    done = call("dvc", "push", cwd=project)
    assert done.returncode != 0
    assert "dvc-remote-modify-private-url" in done.stderr


def test_the_release_alone_is_handed_out_to_whoever_cannot_reach_the_private_remote(
    project: Path, tmp_path: Path
) -> None:
    remotes = folders(tmp_path)
    remotes.name_in(project)
    checked("dvc", "push", "-r", "public", cwd=project)
    assert remotes.objects("public") == objects_of_release(project)
    assert remotes.objects("private") == set()
    commit(project)
    clone = clone_of(project)
    nowhere = remotes.urls["private"].replace("private", "nowhere")
    checked("dvc", "remote", "modify", "private", "url", nowhere, cwd=clone)
    checked("dvc", "pull", "-r", "public", "./release", cwd=clone)
    assert released(clone) == released(project)
    assert not (clone / "data").exists()
    shutil.rmtree(project / ".dvc/cache")
    checked("dvc", "get", project, "release", "-o", "got/release", cwd=project.parent)
    assert released(project.parent / "got") == released(project)


def test_the_run_cache_goes_to_the_private_remote(project: Path, tmp_path: Path) -> None:
    remotes = folders(tmp_path)
    remotes.name_in(project)
    checked("dvc", "push", "--run-cache", cwd=project)
    assert any(name.startswith("runs/") for name in remotes.files("private"))
    assert remotes.objects("public") == objects_of_release(project)


def test_what_is_not_of_the_present_state_goes_from_both_remotes(project: Path, tmp_path: Path) -> None:
    remotes = folders(tmp_path)
    remotes.name_in(project)
    checked("dvc", "push", cwd=project)
    old = {name: remotes.objects(name) for name in NAMES}
    for name in ("data/faces", "release/photos"):
        path = next(path for path in (project / name).rglob("*") if path.is_file())
        path.unlink()
        path.write_bytes(b"another state")
    checked("dvc", "commit", "--force", cwd=project)
    checked("dvc", "push", cwd=project)
    checked("dvc", "gc", "--workspace", "--cloud", "--remote", "private", "--force", cwd=project)
    assert remotes.objects("public") == objects_of_release(project)
    assert all(old[name] - remotes.objects(name) for name in old)
    # A clone of the present state still has all that it needs.
    commit(project)
    checked("dvc", "pull", cwd=clone_of(project))
