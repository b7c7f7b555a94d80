from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from falco_core.errors import ProjectError
from falco_rendered.dataset import People, write_dataset
from falco_rendered.parameters import ATTRIBUTES, attributes_of
from falco_rendered.sensor import photograph


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "people"
    write_dataset(People(10, 2, seed=5), folder, size=64, say=lambda _: None)
    return folder


def test_the_layout_is_celebas(dataset: Path) -> None:
    images = sorted(path.name for path in (dataset / "CelebA-HQ-img").iterdir())
    assert images == [f"{number:06d}.jpg" for number in range(20)]
    with Image.open(dataset / "CelebA-HQ-img" / images[3]) as image:
        assert (image.size, image.mode) == ((64, 64), "RGB")
    count, names, *rows = lines(dataset / "CelebAMask-HQ-attribute-anno.txt")
    assert (count, tuple(names)) == (["20"], ATTRIBUTES)
    truth = attributes_of(People(10, 2, seed=5).latents()).tolist()
    assert rows == [[name, *("1" if shown else "-1" for shown in row)] for name, row in zip(images, truth, strict=True)]


def test_nobody_is_in_two_parts(dataset: Path) -> None:
    who = dict(lines(dataset / "identity_CelebA.txt"))
    part = dict(lines(dataset / "list_eval_partition.txt"))
    assert {(who[name], part[name]) for name in who} == {(str(n), {8: "1", 9: "2"}.get(n, "0")) for n in range(10)}


def test_the_same_seed_gives_the_same_files_and_more_people_keep_the_first(dataset: Path, tmp_path: Path) -> None:
    write_dataset(People(11, 2, seed=5), tmp_path / "again", size=64, say=lambda _: None)
    for path in (dataset / "CelebA-HQ-img").iterdir():
        assert (tmp_path / "again/CelebA-HQ-img" / path.name).read_bytes() == path.read_bytes()


def test_what_is_there_already_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ProjectError, match="not empty"):
        write_dataset(People(1, 1, seed=0), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_photograph_depends_on_its_own_number_alone() -> None:
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    together = photograph(images, seed=1)
    torch.testing.assert_close(photograph(images[2:], seed=1, first=2), together[2:])
    assert not torch.equal(photograph(images, seed=2), together)
    assert together.abs().max() <= 1


def test_a_photograph_is_softer_and_noisier() -> None:
    grey = torch.zeros(40, 3, 64, 64)
    noise = photograph(grey, seed=3).std(dim=(1, 2, 3))
    assert noise.min() > 0 and noise.max() < 0.031
    edge = torch.cat([torch.full((1, 3, 64, 32), -1.0), torch.full((1, 3, 64, 32), 1.0)], 3).expand(40, -1, -1, -1)
    step = photograph(edge, seed=3).mean(dim=(1, 2)).diff(dim=1).amax(dim=1)
    assert np.ptp(step.numpy()) > 0.1
