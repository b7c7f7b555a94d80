"""Nothing of a forgotten photo stays: every file of the project is searched for its name, crop, codes and new face."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from falco_core.errors import ProjectError
from falco_core.project.folder import Project
from flows.forget import photos_to_forget
from tests import artifacts
from tests.flows.runs import Run, call, run_falco

KEPT, FORGOTTEN = "open_sky.png", "office_window.png"


@pytest.fixture(scope="module")
def project(run: Run, demo_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run, of two photos only from now on."""
    root = tmp_path_factory.mktemp("forget")
    shutil.copytree(run.project, root / "project")
    (root / "photos" / "people").mkdir(parents=True)
    for name in (KEPT, FORGOTTEN):
        shutil.copyfile(demo_photos / name, root / "photos" / "people" / name)
    run_falco(root / "photos", root / "project", "-S", "gate.allow_unknown=true")
    return root / "project"


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
            found["file"] = item.row.file[100:300]
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
    secrets = secrets_of(project, f"people/{FORGOTTEN}")
    others = secrets_of(project, f"people/{KEPT}")
    assert {"crops", "codes", "new face", "file", "seen"} <= set(secrets)
    assert traces(project, secrets) == set(secrets), "the search must find what there is"
    asked = call("falco", "forget", f"people/{FORGOTTEN}", "--project", project, cwd=photos)
    assert asked.returncode == 2
    assert "--delete" in asked.stderr
    assert (photos / "people" / FORGOTTEN).exists()
    done = call("falco", "forget", f"people/{FORGOTTEN}", "--delete", "--project", project, cwd=project.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "forgotten: 1 photos" in done.stdout
    assert not (photos / "people" / FORGOTTEN).exists()
    assert traces(project, secrets) == set()
    assert traces(project, others) == set(others)
    assert (project / "release/photos/people" / KEPT).exists()
    status = call("dvc", "status", cwd=project)
    assert "up to date" in status.stdout
    last = call("falco", "forget", photos / "people" / KEPT, "--delete", "--project", project, cwd=project.parent)
    assert last.returncode == 0, last.stdout + last.stderr
    assert traces(project, others) == set()


def test_a_photo_of_another_folder_is_not_forgotten(project: Path, tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    with pytest.raises(ProjectError, match="not in the photo folder"):
        photos_to_forget(Project.open(project), [tmp_path / "x.png"])
