import hashlib
import os
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
from tests.flows.runs import call

REPO = Path(__file__).parents[2]


def test_the_repositorys_own_dvc_yaml_is_the_stage_table() -> None:
    assert (REPO / "dvc.yaml").read_text() == dvc_yaml()


def test_the_repositorys_own_pins_are_current() -> None:
    assert yaml.safe_load((REPO / "pins.yaml").read_text()) == pins(Project.open(REPO))


def test_every_stage_reads_only_what_an_earlier_one_writes() -> None:
    written: set[str] = {".falco/photos"}
    for stage in STAGES:
        assert set(stage.reads) <= written, stage.name
        written |= set(stage.all_writes)


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


def test_a_project_is_for_its_owner_alone_and_git_takes_text_that_tells_of_nobody(tmp_path: Path) -> None:
    project = tmp_path / "project"
    photos = project / "family"
    photos.mkdir(parents=True)
    (photos / "anna.jpg").write_bytes(b"SECRET")
    os.mkfifo(photos / "bertha.jpg")
    (photos / "dvc.yaml").write_text("stages: [")
    init_project(project, photos=photos)
    for name in ("data/faces/a.parquet", "reports/report.html", "release/photos/anna.jpg", "shown.png", ".falco/x"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("SECRET")
    for name in (".falco", ".dvc", "data", "reports"):
        assert (project / name).stat().st_mode & 0o077 == 0, name
    call("git", "add", ".", cwd=project)
    staged = call("git", "ls-files", cwd=project).stdout.split()
    assert staged == [
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        ".falco/photos",
        ".gitignore",
        "dvc.yaml",
        "params.yaml",
        "pins.yaml",
    ]
    link = call("git", "cat-file", "blob", ":.falco/photos", cwd=project).stdout
    assert link == str(photos), "where the photos lie, and nothing of them"
    for name in set(staged) - {".falco/photos"}:
        text = (project / name).read_text()
        assert not any(secret in text for secret in ("SECRET", "anna", "bertha")), name
    # DVC neither waits for the FIFO nor stumbles over a pipeline among the photos.
    assert "changed deps" in call("dvc", "status", cwd=project).stdout
    assert not call("dvc", "status", cwd=project).stderr


def test_git_takes_the_link_to_the_photos_and_no_folder_in_its_place(tmp_path: Path, photos: Path) -> None:
    project = init_project(tmp_path / "project", photos=photos).root
    (project / ".falco/photos").unlink()
    (project / ".falco/photos").mkdir()
    (project / ".falco/photos/anna.jpg").write_bytes(b"SECRET")
    call("git", "add", ".", cwd=project)
    assert ".falco" not in call("git", "ls-files", cwd=project).stdout


@pytest.mark.parametrize("ignored", [False, True], ids=["seen", "ignored"])
def test_a_surrounding_repository_gets_nothing_private(tmp_path: Path, photos: Path, ignored: bool) -> None:
    call("git", "init", "--quiet", cwd=tmp_path)
    (tmp_path / ".gitignore").write_text("/photos/\n" + ("/project/\n" if ignored else ""))
    project = init_project(tmp_path / "project", photos=photos).root
    (project / "data/faces").mkdir()
    (project / "data/faces/0.parquet").write_text("SECRET")
    call("git", "add", ".", cwd=tmp_path)
    staged = call("git", "ls-files", cwd=tmp_path).stdout.split()
    assert len(staged) == (1 if ignored else 9)
    assert not any("SECRET" in (tmp_path / name).read_text() for name in staged if not name.endswith(".falco/photos"))
    assert (project / ".git").exists() == ignored
    assert call("dvc", "status", cwd=project).returncode == 0


def test_the_projects_own_settings_hold_whatever_the_users_say(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "config" / "dvc"
    own.mkdir(parents=True)
    (own / "config").write_text(
        "[core]\nautostage = true\nanalytics = true\n[cache]\ntype = symlink\n[exp]\nauto_push = true\n"
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    init_project(tmp_path / "project", photos=photos)
    found = call("dvc", "config", "--list", cwd=tmp_path / "project").stdout.splitlines()
    last = dict(line.split("=", 1) for line in found)
    assert (last["core.autostage"], last["core.analytics"], last["exp.auto_push"]) == ("False", "False", "False")
    assert "symlink" not in last["cache.type"]


def test_a_pipeline_that_was_edited_is_put_aside_with_a_word(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    init_project(project, photos=photos)
    assert "changed by hand" not in capsys.readouterr().out
    edited = (project / "dvc.yaml").read_text().replace("falco stage align", "touch pwned")
    (project / "dvc.yaml").write_text(edited)
    init_project(project, photos=None)
    assert "changed by hand" in capsys.readouterr().out
    assert (project / "dvc.yaml").read_text() == dvc_yaml()
    assert (project / "dvc.yaml.edited").read_text() == edited


def test_without_git_a_project_works_as_well(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.repository.shutil.which", lambda _: None)
    init_project(tmp_path / "project", photos=photos)
    assert not (tmp_path / "project/.git").exists()
    assert "no_scm = True" in (tmp_path / "project/.dvc/config").read_text()


def test_what_somebody_keeps_out_of_git_stays_out(tmp_path: Path, photos: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".gitignore").write_text("mine")
    init_project(project, photos=photos)
    lines = (project / ".gitignore").read_text().splitlines()
    assert lines[0] == "mine"
    assert {"/data/", "/reports/*", "/release/", "/.falco/*"} <= set(lines)
    call("git", "add", ".", cwd=project)
    assert ".falco/photos" in call("git", "ls-files", cwd=project).stdout.split()
    init_project(project, photos=None)
    assert (project / ".gitignore").read_text().splitlines() == lines


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
