from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import falco_rendered
from falco_rendered.metadata import exif_block
from falco_rendered.scenes import SCENES, compose, write

_SMALL = next(scene for scene in SCENES if scene.name == "office_window.png")


@pytest.fixture(scope="module")
def shipped():
    return Path(falco_rendered.__file__).parent / "demo_photos"


def test_every_scene_is_shipped_and_small(shipped):
    files = {path.name: path.stat().st_size for path in shipped.iterdir()}
    assert set(files) == {scene.name for scene in SCENES}
    assert max(files.values()) < 250_000
    assert sum(files.values()) < 3_000_000


def test_a_scene_is_written_again_as_it_was_shipped(shipped, tmp_path):
    again = np.asarray(Image.open(write(_SMALL, tmp_path)).convert("RGB"), dtype=float)
    before = np.asarray(Image.open(shipped / _SMALL.name).convert("RGB"), dtype=float)
    assert np.abs(again - before).mean() < 1.0


def test_orientation_flags_turn_the_photos_upright(shipped):
    turned = {scene.orientation: scene for scene in SCENES}
    assert set(turned) == {1, 3, 6, 8}
    for scene in turned.values():
        with Image.open(shipped / scene.name) as photo:
            assert ImageOps.exif_transpose(photo).size == scene.size


def test_some_photos_carry_place_and_thumbnail(shipped):
    with Image.open(shipped / "park_bench.jpg") as photo:
        place = photo.getexif().get_ifd(0x8825)
        block = photo.info["exif"]
    assert place[1] == "N" and place[3] == "W" and float(place[2][0]) == 43.0
    assert block.count(b"\xff\xd8\xff") == 1


def test_exif_without_place_has_no_position():
    picture = Image.new("RGB", (64, 48), "gray")
    block = exif_block(picture, orientation=6, place=False)
    exif = Image.Exif()
    exif.load(block)
    assert exif[0x0112] == 6
    assert not exif.get_ifd(0x8825)


def test_scenes_are_composed_upright_at_their_size():
    assert compose(_SMALL).size == _SMALL.size
