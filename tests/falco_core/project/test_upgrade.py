"""Projects of falco 0.1 go on with what still means something."""

from pathlib import Path

import pytest
import yaml

from falco_core.project.params import load_params
from flows.project import init_project

OF_0_1 = """\
# my notes
input:
  photos: {photos}
bundle: mini
align:
  min_face_size: 55   # small ones do not matter here
  detection_threshold: 0.9
  max_side: 1600
anonymize:
  margin: 0.2
compose:
  feather: 0.08
  max_heldout_similarity: null
store:
  items: .falco/items
"""


def test_a_project_of_0_1_is_brought_up_to_date_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    project = tmp_path / "project"
    for left_over in (".falco/items/align/ab", "data", "release/photos"):
        (project / left_over).mkdir(parents=True)
    (project / ".falco/items/align/ab/x.safetensors").write_bytes(b"kept by 0.1")
    (project / "data/pairs.parquet").write_bytes(b"kept by 0.1")
    (project / "release/photos/a.png").write_bytes(b"released by 0.1")
    (project / "dvc.yaml").write_text("stages: {}\n")
    (project / "params.yaml").write_text(OF_0_1.format(photos=tmp_path / "photos"))
    init_project(project, photos=None)
    said = capsys.readouterr().out.strip().splitlines()
    assert len(said) == 1
    assert "falco 0.1" in said[0]
    assert "align.detection_threshold" in said[0]
    params = load_params(project / "params.yaml")
    assert params.align.smallest_replaced == 55
    assert params.align.detection_threshold < 0.5, "another detector's limit would hide faces"
    assert params.anonymize.margin == 0.2
    assert "# my notes" in (project / "params.yaml").read_text()
    assert set(yaml.safe_load((project / "params.yaml").read_text())["store"]) == {"path"}
    assert not (project / ".falco/items").exists()
    assert not (project / "data/pairs.parquet").exists()
    assert (project / "release/photos/a.png").exists()
    init_project(project, photos=None)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("before", "now"), [("true", "opaque"), ("false", "keep")])
def test_opaque_names_of_before_stay_what_they_were(tmp_path: Path, before: str, now: str) -> None:
    (tmp_path / "photos").mkdir()
    project = tmp_path / "project"
    project.mkdir()
    text = f"input:\n  photos: {tmp_path / 'photos'}\nrelease:\n  opaque_names: {before}\n"
    (project / "params.yaml").write_text(text)
    init_project(project, photos=None)
    assert load_params(project / "params.yaml").release.names == now
