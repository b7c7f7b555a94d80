"""Nothing of a forgotten photo stays: every file of the project is searched for its name, crop, codes and new face."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from falco_core.errors import ProjectError
from falco_core.project.folder import Project
from flows.forget import forget_all, photos_to_forget
from flows.project import init_project
from tests import artifacts
from tests.flows.runs import Run, call

KEPT, FORGOTTEN = "open_sky.png", "Straße & Café/büro am fenster.png"


@pytest.fixture
def project(run: Run, tmp_path: Path) -> Path:
    """A copy of the run and of its photos."""
    shutil.copytree(run.photos, tmp_path / "photos")
    shutil.copytree(run.project, tmp_path / "project", symlinks=True)
    init_project(tmp_path / "project", photos=tmp_path / "photos")
    return tmp_path / "project"


def secrets_of(project: Path, photo: str) -> dict[str, bytes]:
    """Bytes that tell of a photo."""
    sha256 = next(digest for digest, name in artifacts.names(project).items() if name == photo)
    found = {"name": Path(photo).name.encode(), "sha256": sha256.encode(), "id": sha256[:16].encode()}
    for item in artifacts.items(project, artifacts.FACES):
        if item.id == sha256:
            found["crops"] = item.row.crops[40:240]
    for item in artifacts.items(project, artifacts.INVERSIONS):
        if item.row.photo_sha256 == sha256:
            found["codes"] = item.row.arrays["codes"].tobytes()[:200]
    for item in artifacts.items(project, artifacts.ANONYMIZED):
        if item.id.startswith(sha256[:16]):
            found["new face"] = item.row.crop[40:240]
    for item in artifacts.items(project, artifacts.COMPOSED):
        if item.id == sha256:
            # Its head is the same in all released files.
            found["file"] = item.row.file[-400:-200]
            found["seen"] = item.row.seen[-200:]
    return found


def contents(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, and what its compressed tables say."""
    for path in root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path, data + str(path.relative_to(root)).encode()
            if data.startswith(b"PAR1"):
                yield path, str(pq.read_table(path).to_pylist()).encode()


def traces(root: Path, secrets: dict[str, bytes]) -> set[str]:
    return {name for _, data in contents(root) for name, secret in secrets.items() if secret in data}


def test_nothing_of_a_forgotten_photo_stays(project: Path) -> None:
    photos = project.parent / "photos"
    secrets, others = secrets_of(project, FORGOTTEN), secrets_of(project, KEPT)
    assert {"crops", "codes", "new face", "file", "seen"} <= set(secrets)
    assert traces(project, secrets) == set(secrets), "the search must find what there is"
    asked = call("falco", "forget", FORGOTTEN, "--project", project, cwd=photos)
    assert asked.returncode == 2
    assert "--delete" in asked.stderr
    assert (photos / FORGOTTEN).exists()
    done = call("falco", "forget", FORGOTTEN, "--delete", "--project", project, cwd=project.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "forgotten: 1 photos" in done.stdout
    assert not (photos / FORGOTTEN).exists()
    assert traces(project, secrets) == set()
    assert traces(project, others) == set(others)
    assert (project / "release/photos" / KEPT).exists()
    assert "up to date" in call("dvc", "status", cwd=project).stdout


def test_with_the_last_photo_goes_everything(project: Path) -> None:
    secrets = secrets_of(project, KEPT)
    opened = Project.open(project)
    assert not forget_all(opened), "there are photos"
    shutil.rmtree(project.parent / "photos")
    (project.parent / "photos").mkdir()
    assert forget_all(opened)
    assert traces(project, secrets) == set()


def test_a_photo_of_another_folder_is_not_forgotten(project: Path, tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    with pytest.raises(ProjectError, match="not in the photo folder"):
        photos_to_forget(Project.open(project), [tmp_path / "x.png"])
