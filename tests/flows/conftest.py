"""One finished run for all tests that look at it; those that change it copy it first."""

from pathlib import Path

import pytest

from tests.flows.photos import make_folder
from tests.flows.runs import Run, run_falco


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, demo_photos: Path) -> Run:
    root = tmp_path_factory.mktemp("run")
    make_folder(root / "photos", demo_photos)
    return Run(root / "photos", root / "project", run_falco(root / "photos", root / "project"))
