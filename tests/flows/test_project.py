import hashlib
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from falco_core.errors import BundleError, ParamsError, ProjectError
from falco_core.project.folder import Project
from falco_core.project.params import parse_params
from falco_core.project.pins import pins
from falco_core.project.stages import STAGES
from flows.project import check_bundle, dvc_yaml, init_project

REPO = Path(__file__).parents[2]


def test_the_repositorys_own_dvc_yaml_is_the_stage_table() -> None:
    assert (REPO / "dvc.yaml").read_text() == dvc_yaml()


def test_the_repositorys_own_pins_are_current() -> None:
    assert yaml.safe_load((REPO / "pins.yaml").read_text()) == pins(Project.open(REPO))


def test_every_stage_reads_only_what_an_earlier_one_writes() -> None:
    written: set[str] = {"${input.photos}"}
    for stage in STAGES:
        assert set(stage.reads) <= written, stage.name
        written |= {*stage.writes, *stage.metrics}


def test_every_param_of_the_table_exists() -> None:
    params = parse_params({"input": {"photos": "x"}}, source="x").model_dump(by_alias=True)
    for stage in STAGES:
        for key in stage.params:
            section, name = key.split(".")
            assert name in params[section], key


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_an_existing_params_file_keeps_its_comments(tmp_path: Path, photos: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    text = f"# mine\ninput: {{photos: {photos}}}\nanonymize: {{margin: 0.2}}\n"
    (project / "params.yaml").write_text(text)
    init_project(project, photos=None)
    written = (project / "params.yaml").read_text()
    assert "# mine" in written
    params = Project.open(project).params
    assert params.anonymize.margin == 0.2
    # DVC watches every key, so defaults are written out.
    assert "learning_rate: null" in written
    init_project(project, photos=None)
    assert (project / "params.yaml").read_text() == written


def test_a_changed_key_is_written_and_the_others_stay(tmp_path: Path, photos: Path) -> None:
    project = tmp_path / "project"
    init_project(project, photos=photos, changes={"anonymize.margin": 0.2})
    init_project(project, photos=None, changes={"anonymize.steps": 7})
    params = Project.open(project).params
    assert (params.anonymize.margin, params.anonymize.steps) == (0.2, 7)


def test_a_bad_change_is_refused_and_writes_nothing(tmp_path: Path, photos: Path) -> None:
    project = tmp_path / "project"
    with pytest.raises(ParamsError, match="anonymize.margin"):
        init_project(project, photos=photos, changes={"anonymize.margin": 7})
    assert not project.exists()


def test_a_project_inside_its_photos_is_refused(photos: Path) -> None:
    with pytest.raises(ProjectError, match="inside the photo folder"):
        init_project(photos / "project", photos=photos)
    assert not any(photos.iterdir())


@pytest.mark.parametrize("place", ["data", "data/faces", "release", "reports/mine", ".dvc/cache"])
def test_photos_where_falco_writes_are_refused_and_left_alone(tmp_path: Path, place: str) -> None:
    photos = tmp_path / place
    photos.mkdir(parents=True)
    (photos / "mine.jpg").write_bytes(b"precious")
    with pytest.raises(ProjectError):
        init_project(tmp_path, photos=photos)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.jpg"]


def test_a_folder_that_holds_somebodys_release_is_not_taken_over(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "work" / "release").mkdir(parents=True)
    with pytest.raises(ProjectError, match="not falco's"):
        init_project(tmp_path / "work", photos=photos)


def test_a_broken_link_is_named(tmp_path: Path, photos: Path) -> None:
    (photos / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    with pytest.raises(ProjectError, match=r"gone\.jpg is a link to nothing"):
        init_project(tmp_path / "project", photos=photos)


def test_a_run_refuses_a_bundle_that_verify_calls_broken(tiny_bundle_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    broken = Path(shutil.copytree(tiny_bundle_folder, tmp_path / "bundle"))
    weights = {name: torch.zeros_like(value) for name, value in load_file(broken / "heldout.safetensors").items()}
    save_file(weights, broken / "heldout.safetensors")
    document = yaml.safe_load((broken / "bundle.yaml").read_text())
    digest = hashlib.sha256((broken / "heldout.safetensors").read_bytes()).hexdigest()
    document["networks"]["heldout"]["sha256"] = digest
    (broken / "bundle.yaml").write_text(yaml.safe_dump(document))
    project = init_project(tmp_path / "project", photos=tmp_path / "photos", changes={"bundle": str(broken)})
    for _ in range(2):
        with pytest.raises(BundleError, match="broken: together: heldout gives no unit vector"):
            check_bundle(project)
    whole = init_project(tmp_path / "project", photos=None, changes={"bundle": str(tiny_bundle_folder)})
    check_bundle(whole)
    check_bundle(whole)
