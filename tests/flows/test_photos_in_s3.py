"""A project whose photos lie in S3."""

from pathlib import Path
from typing import Any

import pytest
import s3fs

from falco_core.errors import ProjectError
from falco_core.project.stages import PHOTO_FILES
from falco_core.store.artifact import read_table
from falco_core.store.rows import PhotoFile
from flows.commands.data import forget
from flows.project import init_project
from flows.stage import run_stage
from tasks.batches import execute_here
from tests.flows.runs import call
from tests.flows.test_forget import traces
from tests.s3 import new_bucket


@pytest.fixture
def bucket(s3: str) -> Any:
    bucket = new_bucket(s3)
    for name in ("anna.jpg", "deep/bertha.jpg", "notes.txt"):
        bucket.put_object(Key=f"mine/{name}", Body=name.encode())
    return bucket


@pytest.fixture
def project(bucket: Any, tmp_path: Path, tiny_bundle_folder: Path) -> Path:
    changes = {"input.photos": f"s3://{bucket.name}/mine", "bundle": str(tiny_bundle_folder)}
    return init_project(tmp_path / "project", photos=None, changes=changes).root


def aligned(project: Path) -> set[str]:
    """The photos that the first stage reads."""
    run_stage("align", project, execute_here)
    return {row.photo for row in read_table(project / PHOTO_FILES, PhotoFile)}


def files(project: Path) -> dict[str, bytes]:
    folder = project / ".falco/photos"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_stages_read_what_lies_there(bucket: Any, project: Path) -> None:
    assert aligned(project) == {"anna.jpg", "deep/bertha.jpg"}
    assert (project / ".falco/photos").readlink() == project / ".falco/mirror/photos"
    bucket.put_object(Key="mine/clara.jpg", Body=b"clara")
    bucket.put_object(Key="mine/anna.jpg", Body=b"another")
    bucket.Object("mine/deep/bertha.jpg").delete()
    assert aligned(project) == {"anna.jpg", "deep/bertha.jpg"}, "a stage by itself fetches nothing"
    init_project(project, photos=None)
    assert files(project) == {"clara.jpg": b"clara", "anna.jpg": b"another", "notes.txt": b"notes.txt"}
    assert aligned(project) == {"anna.jpg", "clara.jpg"}


def test_git_and_dvc_take_nothing_of_the_copy(project: Path) -> None:
    call("git", "add", ".", cwd=project)
    staged = call("git", "ls-files", cwd=project).stdout.split()
    assert ".falco/photos" in staged
    assert not [name for name in staged if "mirror" in name]
    done = call("dvc", "status", cwd=project)
    assert done.returncode == 0, done.stderr


def test_an_outage_is_one_line_and_leaves_everything(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(project)
    params = (project / "params.yaml").read_text()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(ProjectError, match="cannot be listed") as error:
        init_project(project, photos=None)
    s3fs.S3FileSystem.clear_instance_cache()
    assert "\n" not in str(error.value)
    assert files(project) == before
    assert (project / "params.yaml").read_text() == params


def test_photos_of_another_place_than_the_parameters_name_are_not_read(project: Path) -> None:
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("/mine", "/others"))
    with pytest.raises(ProjectError, match="not fetched yet"):
        run_stage("align", project, execute_here)


def test_a_photo_that_still_lies_there_is_not_forgotten(bucket: Any, project: Path) -> None:
    for name in ("anna.jpg", f"s3://{bucket.name}/mine/anna.jpg"):
        with pytest.raises(ProjectError, match=f"anna.jpg still lies under s3://{bucket.name}/mine: delete it there"):
            forget([Path(name)], project=project, delete=True)
    assert files(project)["anna.jpg"] == b"anna.jpg"


def test_of_a_photo_that_is_gone_there_nothing_stays(
    bucket: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert traces(project, {"name": b"bertha.jpg"}) == {"name"}
    bucket.Object("mine/deep/bertha.jpg").delete()
    # The run itself is others' business.
    monkeypatch.setattr("flows.commands.running.run_project", lambda root, *_: init_project(root, photos=None))
    forget([Path("deep/bertha.jpg")], project=project)
    assert traces(project, {"name": b"bertha.jpg"}) == set()
    assert set(files(project)) == {"anna.jpg", "notes.txt"}


def test_with_the_last_photo_goes_everything(bucket: Any, project: Path) -> None:
    bucket.objects.all().delete()
    forget([Path(name) for name in ("anna.jpg", "deep/bertha.jpg", "notes.txt")], project=project)
    assert traces(project, {"anna": b"anna.jpg", "bertha": b"bertha.jpg"}) == set()
    assert not (project / ".falco/mirror").exists()


def test_of_a_folder_that_is_here_again_no_copy_stays(project: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    init_project(project, photos=tmp_path / "photos")
    assert not (project / ".falco/mirror").exists()
    assert (project / ".falco/photos").resolve() == tmp_path / "photos"
