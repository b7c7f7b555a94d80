"""Fixtures shared by all rooms: a random tiny bundle, and folders of photos."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # each has a core
os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture(autouse=True, scope="session")
def own_falco_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Bundles that the developer has fetched are none of the tests' business."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FALCO_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def tiny_bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete bundle of random weights: the plumbing without the training."""
    from falco_core.bundles.tiny import make_random_bundle

    folder = tmp_path_factory.mktemp("bundle")
    make_random_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 server on loopback, and its address."""
    from tests.s3 import s3_server

    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def demo_photos() -> Path:
    """The demo photos that come with the package."""
    from falco_rendered.demo import demo_photos

    return demo_photos()


@pytest.fixture(scope="session")
def official_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small stand-ins for the published checkpoints, by network, in their official containers."""
    from tests.official import save_small

    return save_small(tmp_path_factory.mktemp("official"))


@pytest.fixture(scope="session")
def converted_bundle(official_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `falco models convert` makes of `official_files`: 64 px, random weights."""
    from falco_core.bundles.official.convert import About, OfficialFiles, convert_bundle

    folder = tmp_path_factory.mktemp("converted") / "small"
    convert_bundle(OfficialFiles(**official_files), folder, About("small"))
    return folder
