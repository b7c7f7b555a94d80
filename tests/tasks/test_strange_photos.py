"""Released files of photos that are stored and named in every way: colour, modes, containers, transparency, names."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from falco_core.judges import recognisers
from falco_core.release.audit import audit_folder
from falco_core.release.mark import MARK
from falco_core.store.rows import PhotoOutcome
from flows.project import init_project
from tests.artifacts import checks, outcomes, reasons
from tests.falco_core.judges.helpers import StrokeJudge
from tests.tasks.strange_photos import LONG, SEPIA, make_folder, sky_of
from tests.tasks.test_stages import SETTINGS, run

LOSSLESS = ("srgb.png", "text_chunks.png", "lossless.webp", "with_preview.tif", "a.gif.png/inside.png")
"""Stored without loss, in sRGB."""


@dataclass(frozen=True)
class Released:
    """A finished run."""

    photos: Path
    project: Path
    rows: dict[str, PhotoOutcome]

    def path(self, photo: str) -> Path:
        name = self.rows[photo].file
        assert name is not None, (photo, self.rows[photo])
        return self.project / "release/photos" / name

    def image(self, photo: str) -> Image.Image:
        image = Image.open(io.BytesIO(self.path(photo).read_bytes()))
        image.load()
        return image

    def outside(self, photo: str, shape: tuple[int, ...]) -> np.ndarray:
        """What is far from every face: bool [H, W]."""
        outside = np.ones(shape[:2], dtype=bool)
        for name, check in checks(self.project):
            # Photos of equal bytes share their faces, under one of their names.
            if self.rows[name].sha256 == self.rows[photo].sha256:
                x0, y0, x1, y1 = check.box
                margin = 0.5 * max(x1 - x0, y1 - y0)
                top, left = max(0, round(y0 - 1.5 * margin)), max(0, round(x0 - margin))
                outside[top : round(y1 + margin), left : round(x1 + margin)] = False
        assert outside.any()
        return outside


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, demo_photos: Path, tiny_bundle_folder: Path) -> Iterator[Released]:
    root = tmp_path_factory.mktemp("strange")
    make_folder(root / "photos", demo_photos)
    with pytest.MonkeyPatch.context() as patch:
        judge = StrokeJudge()
        patch.setitem(recognisers._MAKERS, "rendered_heldout", lambda _: judge)
        patch.setattr(recognisers, "_MADE", {})
        changes = {"bundle": str(tiny_bundle_folder), **SETTINGS}
        init_project(root / "project", photos=root / "photos", changes=changes)
        run(root / "project")
        yield Released(root / "photos", root / "project", {row.photo: row for row in outcomes(root / "project")})


def test_all_are_released_but_a_broken_one(made: Released) -> None:
    assert set(reasons(made.project)) == {"IMG_0001.HEIC"}
    assert reasons(made.project)["IMG_0001.HEIC"] == "undecodable"


def test_nothing_foreign_is_in_the_release_and_the_mark_is(made: Released) -> None:
    assert list(audit_folder(made.project / "release")) == []
    for path in (made.project / "release").rglob("*"):
        if path.is_file():
            assert b"SECRET" not in path.read_bytes()
            assert path.name == "manifest.json" or MARK in path.read_bytes()


@pytest.mark.parametrize("photo", LOSSLESS)
def test_lossless_photos_are_equal_outside_of_the_faces(made: Released, demo_photos: Path, photo: str) -> None:
    before, after = sky_of(demo_photos), np.asarray(made.image(photo).convert("RGB"))
    outside = made.outside(photo, before.shape)
    np.testing.assert_array_equal(after[outside], before[outside])
    assert (after[~outside] != before[~outside]).mean() > 0.05


@pytest.mark.parametrize("photo", ["junk_profile.jpg", "motion_photo.jpg", "progressive_without_end.jpg"])
def test_a_jpeg_is_as_fine_as_it_was(made: Released, photo: str) -> None:
    after = made.image(photo)
    data = (made.photos / photo).read_bytes()
    before = Image.open(io.BytesIO(data))
    assert isinstance(after, JpegImagePlugin.JpegImageFile) and isinstance(before, JpegImagePlugin.JpegImageFile)
    assert after.quantization == before.quantization
    assert JpegImagePlugin.get_sampling(after) == JpegImagePlugin.get_sampling(before)


def test_wide_colours_are_converted(made: Released, demo_photos: Path) -> None:
    stored, after = sky_of(demo_photos).astype(int), np.asarray(made.image("display_p3.png")).astype(int)
    outside = made.outside("display_p3.png", stored.shape)
    # The same numbers mean more saturated colours in that space.
    saturation = [np.ptp(pixels[outside], axis=1).mean() for pixels in (stored, after)]
    assert saturation[1] > 1.08 * saturation[0]


@pytest.mark.parametrize(
    ("photo", "mode"),
    [("grey.jpg", "L"), ("grey_alpha.png", "LA"), ("grey_as_rgb.png", "RGB"), ("grey_16_bit.png", "L")],
)
def test_grey_stays_grey_and_its_mode(made: Released, photo: str, mode: str) -> None:
    image = made.image(photo)
    assert image.mode == mode
    assert int(np.ptp(np.asarray(image.convert("RGB")), axis=2).max()) == 0


def test_sepia_keeps_its_one_tint(made: Released) -> None:
    pixels = np.asarray(made.image("sepia.png")).astype(float)
    assert np.abs(pixels - pixels[..., :1] * SEPIA).max() <= 4


def test_what_is_lost_is_said(made: Released) -> None:
    assert made.rows["grey_16_bit.png"].detail == "16 bits per channel became 8"
    assert "CMYK" in made.rows["inks.tif"].detail
    assert made.rows["srgb.png"].detail == ""


def test_transparency_neither_hides_nor_draws_a_face(made: Released) -> None:
    hidden = np.asarray(made.image("face_under_transparency.png"))
    assert (hidden[..., 3] == 0).mean() > 0.4
    assert not hidden[hidden[..., 3] == 0][:, :3].any()
    original = np.asarray(Image.open(made.photos / "alpha_draws_a_face.png"))
    drawn = np.asarray(made.image("alpha_draws_a_face.png"))
    height, width = drawn.shape[:2]
    middle = (slice(height // 4, 3 * height // 4), slice(width // 2 + width // 8, width - width // 8), 3)
    assert original[middle].std() > 20
    assert (drawn[middle] == 255).mean() > 0.7


def test_names_are_near_the_photos_own_and_told_apart(made: Released) -> None:
    names = {photo: row.file for photo, row in made.rows.items() if row.file is not None}
    assert len({name.casefold() for name in names.values()}) == len(names)
    assert names["a.gif.png/inside.png"] == "a.gif.png/inside.png"
    assert names["a.gif"].startswith("a.gif-") and names["a.gif"].endswith(".png")
    assert names["Photo.JPG"] == "Photo.JPG" and names["photo.jpg"].startswith("photo-")
    assert names["whole.heic"] == "whole.heic.jpg"
    assert names["really_webp.jpg"] == "really_webp.jpg.webp"
    assert len(names[LONG].encode()) <= 200
    assert all(made.path(photo).is_file() for photo in names)
