"""Which stages each parameter reruns: said here once more, by what a user expects, for every parameter there is."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from falco_core.project.params import Params
from flows.project import init_project
from flows.reproduction import changed_stages
from tests.flows.runs import Run

FOUND = {"align", "release"}
"""What is found in photos; everything else follows from new crops, if there are any."""
DRAWN = {"anonymize", "release"}
LOOKED_AT = {"compose", "release"}
JUDGED = {"anonymize", "compose", "validate", "release"}
EXPECTED: dict[str, tuple[Any, set[str]]] = {
    "align.smallest_face": (14, FOUND | LOOKED_AT),
    "align.detection_threshold": (0.4, FOUND | LOOKED_AT),
    "align.max_pixels": (90_000_000, FOUND | LOOKED_AT | {"invert"}),
    "align.smallest_replaced": (50, FOUND),
    "align.most_turned": (0.7, FOUND),
    "align.most_covered": (0.3, FOUND),
    "invert.low_fidelity_below": (0.5, set()),
    "invert.batch_size": (3, set()),
    "sample.count": (17, {"sample", "release"}),
    "sample.truncation": (0.6, {"sample", "release"}),
    "sample.seed": (1, {"sample", "release"}),
    "sample.batch_size": (3, set()),
    "pair.space": ("recogniser", {"pair", "release"}),
    "pair.metric": ("euclidean", {"pair", "release"}),
    "anonymize.objective": ("crop", DRAWN),
    "anonymize.margin": (0.3, DRAWN),
    "anonymize.margin_tolerance": (0.2, DRAWN),
    "anonymize.attempts": (3, DRAWN | {"pair"}),
    "anonymize.steps": (7, DRAWN),
    "anonymize.learning_rate": (0.02, DRAWN),
    "anonymize.lambda_id": (9.0, DRAWN),
    "anonymize.lambda_attr": (0.2, DRAWN),
    "anonymize.batch_size": (3, set()),
    "solver.reproduce_released_code": (True, DRAWN),
    "solver.precision": ("bfloat16", DRAWN),
    "anonymize.space": ("w+", DRAWN),
    "compose.otherwise": ("solid", LOOKED_AT),
    "compose.suspicion": (0.5, LOOKED_AT),
    "compose.min_quality": (0.2, DRAWN),
    "judges.kind": ("rendered", JUDGED),
    "judges.gate": (["dlib"], JUDGED | {"invert"}),
    "judges.audit": (["dlib"], JUDGED | {"invert"}),
    "validate.sheet_photos": (5, {"validate", "release"}),
    "validate.sheet_pages": (5, {"validate", "release"}),
    "validate.outline": (True, {"validate", "release"}),
    "gate.max_reidentification_rate": (0.1, {"gate", "release"}),
    "gate.allow_unknown": (True, {"gate", "release"}),
    "gate.min_detection_rate": (0.4, {"gate", "release"}),
    "gate.max_withheld_rate": (0.9, {"gate", "release"}),
    "release.names": ("opaque", {"release"}),
    "release.mark": (False, LOOKED_AT),
    "store.path": ("elsewhere", set()),
    "run.max_failed_share": (0.2, set()),
    "run.runner": ("dask", set()),
    "run.dask_address": ("tcp://127.0.0.1:1", set()),
    "run.workers": (3, set()),
    "run.gpu_workers": (True, set()),
    "run.max_stage_hours": (1.0, set()),
    "ui.show_originals": (True, set()),
}
APART = {"input.photos", "bundle"}
"""Tested below."""


@pytest.fixture(scope="module")
def project(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a finished project, with its DVC cache."""
    return Path(shutil.copytree(run.project, tmp_path_factory.mktemp("reruns") / "project", symlinks=True))


def test_every_parameter_is_in_the_table() -> None:
    assert set(_keys(Params.model_validate({"input": {"photos": "x"}}))) == {*EXPECTED, *APART}


@pytest.mark.parametrize("key", EXPECTED)
def test_a_parameter_reruns_exactly_its_stages(project: Path, key: str) -> None:
    before = (project / "params.yaml").read_text()
    value, stages = EXPECTED[key]
    try:
        init_project(project, photos=None, changes={key: value})
        assert (project / "params.yaml").read_text() != before, "the table's value is the one that it has"
        assert changed_stages(project) == stages
    finally:
        (project / "params.yaml").write_text(before)


def test_the_same_photos_in_another_folder_rerun_nothing(project: Path, run: Run, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(run.photos, tmp_path / "elsewhere"))
    init_project(project, photos=elsewhere)
    assert changed_stages(project) == set()
    next(path for path in elsewhere.rglob("*.png")).unlink()
    assert changed_stages(project) == {"align", "invert", "compose", "validate"}
    init_project(project, photos=run.photos)
    assert changed_stages(project) == set()


def test_another_bundle_reruns_what_its_networks_did(project: Path, tiny_bundle_folder: Path) -> None:
    init_project(project, photos=None, changes={"bundle": str(tiny_bundle_folder)})
    assert changed_stages(project) >= {"invert", "sample", "anonymize", "compose", "validate", "release"}
    init_project(project, photos=None, changes={"bundle": "mini"})
    assert changed_stages(project) == set()


def _keys(params: Params) -> Iterator[str]:
    for section, values in params.model_dump(by_alias=True).items():
        if isinstance(values, dict):
            yield from (f"{section}.{name}" for name in values)
        else:
            yield section
