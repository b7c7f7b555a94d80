"""Fixtures shared by all rooms: a random tiny bundle, and folders of photos."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture(scope="session")
def tiny_bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete bundle of random weights: the plumbing without the training."""
    from falco_core.bundles.tiny import make_random_bundle

    folder = tmp_path_factory.mktemp("bundle")
    make_random_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def demo_photos() -> Path:
    """The demo photos that come with the package."""
    from flows.project import demo_photos

    return demo_photos()
