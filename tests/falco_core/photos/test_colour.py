import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from falco_core.photos.codec import decode_photo, encode_photo
from tests.falco_core.photos.profiles import ADOBE_RGB, DISPLAY_P3, grey_profile, rgb_profile

LIMIT = 1_000_000
OWN_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def flat(colour: tuple[int, ...] | int, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (16, 16), colour)


def released(image: Image.Image, image_format: str = "PNG", **options: object) -> tuple[np.ndarray, bytes]:
    """The pixels [H, W, C] of the file that a photo becomes, as a program reads them that knows no profiles."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    data = encode_photo(decode_photo(file.getvalue(), max_pixels=LIMIT))
    with Image.open(io.BytesIO(data)) as written:
        assert "icc_profile" not in written.info
        array = np.asarray(written)
    return array if array.ndim == 3 else array[..., None], data


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(
    ("primaries", "gamma", "stored", "seen"),
    [
        # The same colours in both spaces, as published colour calculators give them.
        (ADOBE_RGB, 563 / 256, (144, 255, 60), (0, 255, 0)),
        (ADOBE_RGB, 563 / 256, (219, 0, 0), (255, 0, 0)),
        (DISPLAY_P3, 2.2, (234, 51, 35), (255, 0, 0)),
        (DISPLAY_P3, 2.2, (117, 251, 76), (0, 255, 0)),
        (DISPLAY_P3, 2.2, (128, 128, 128), (128, 128, 128)),
    ],
)
def test_a_photo_keeps_its_look_without_its_profile(
    image_format: str, primaries: tuple, gamma: float, stored: tuple[int, int, int], seen: tuple[int, int, int]
) -> None:
    options = {"quality": 95} if image_format in ("JPEG", "AVIF") else {}
    options |= {"lossless": True} if image_format == "WEBP" else {}
    pixels, data = released(flat(stored), image_format, icc_profile=rgb_profile(primaries, gamma, b"SECRET"), **options)
    # A monitor of gamma 2.2 and sRGB's curve differ by a few levels in the dark.
    assert np.abs(pixels[8, 8, :3].astype(int) - seen).max() <= (12 if 0 in seen else 3), pixels[8, 8]
    assert b"SECRET" not in data


@pytest.mark.parametrize("profile", [OWN_SRGB, b"junk", OWN_SRGB[:200], grey_profile(1.0)])
def test_srgb_in_other_words_and_profiles_of_no_use_change_no_bit(profile: bytes) -> None:
    y, x = np.mgrid[0:24, 0:32]
    stored = np.stack([x * 8, y * 10, (x + y) * 4], axis=2).astype(np.uint8)
    pixels, _ = released(Image.fromarray(stored), icc_profile=profile)
    np.testing.assert_array_equal(pixels, stored)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_grey_photo_stays_grey_and_gets_the_usual_curve(mode: str) -> None:
    linear = grey_profile(1.0)
    pixels, _ = released(flat(55 if mode == "L" else (55, 255), mode), icc_profile=linear)
    # 55 / 255 of the light is level 128 in sRGB.
    assert pixels.shape[2] == len(mode)
    assert abs(int(pixels[0, 0, 0]) - 128) <= 1


def test_a_colour_profile_keeps_transparency() -> None:
    pixels, _ = released(flat((144, 255, 60, 77), "RGBA"), icc_profile=rgb_profile(ADOBE_RGB, 563 / 256))
    assert pixels[0, 0, 3] == 77
    assert np.abs(pixels[0, 0, :3].astype(int) - (0, 255, 0)).max() <= 8


def test_a_png_of_linear_light_is_brightened_as_it_says() -> None:
    file = io.BytesIO()
    flat((55, 55, 55)).save(file, "PNG")
    data = file.getvalue()
    chunk = b"gAMA" + (100_000).to_bytes(4, "big")
    data = data[:33] + (4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[33:]
    assert abs(int(decode_photo(data, max_pixels=LIMIT).pixels[0, 0, 0]) - 128) <= 1


def test_inks_become_srgb_and_it_is_said() -> None:
    file = io.BytesIO()
    flat((0, 255, 255, 0), "CMYK").save(file, "JPEG", icc_profile=OWN_SRGB, quality=95)
    photo = decode_photo(file.getvalue(), max_pixels=LIMIT)
    assert photo.pixels[0, 0, 0] > 200 > 60 > photo.pixels[0, 0, 1:].max()
    assert "CMYK" in photo.loss
