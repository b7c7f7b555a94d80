import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, PngImagePlugin

from falco_core.errors import UnreadablePhoto
from falco_core.photos.codec import decode_photo, encode_photo, load_photo, output_name, pixels_of, png_of
from falco_core.reasons import Reason

LIMIT = 1_000_000


def picture(height: int = 24, width: int = 32) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 7 % 256, y * 9 % 256, (x + y) * 4 % 256], axis=2).astype(np.uint8)


def file_of(image: Image.Image, image_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def reason_of(data: bytes, limit: int = LIMIT) -> Reason:
    with pytest.raises(UnreadablePhoto) as error:
        decode_photo(data, max_pixels=limit)
    assert "\n" not in str(error.value)
    return error.value.reason


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "I;16", "I", "F", "CMYK", "YCbCr", "LAB"])
def test_every_mode_becomes_eight_bit_rgb(mode: str) -> None:
    base = Image.fromarray(picture())
    if mode in ("I;16", "I"):
        image = Image.fromarray((np.asarray(base.convert("L")).astype(np.uint16)) * 257)
        image = image if mode == "I;16" else image.convert("I")
    else:
        image = base.convert(mode)
    image_format = "PNG" if mode in ("RGB", "L", "1", "P", "RGBA", "LA", "I;16") else "TIFF"
    photo = decode_photo(file_of(image, image_format), max_pixels=LIMIT)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (24, 32, 3)
    assert (photo.alpha is not None) == (mode in ("RGBA", "LA"))
    if mode in ("I;16", "I"):
        assert np.abs(photo.pixels[..., 0].astype(int) - np.asarray(base.convert("L"))).max() <= 1


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_decoded_as_a_viewer_shows_it(orientation: int, image_format: str) -> None:
    stored = picture()
    shown = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1),
        7: stored.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(stored, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(image_format, {})
    photo = decode_photo(file_of(Image.fromarray(stored), image_format, exif=exif, **options), max_pixels=LIMIT)
    assert photo.pixels.shape == shown.shape
    assert np.abs(photo.pixels.astype(int) - shown).mean() <= 1
    # Released upright, and nothing turns it a second time.
    again = decode_photo(encode_photo(photo), max_pixels=LIMIT)
    assert again.pixels.shape == shown.shape


def test_broken_exif_is_ignored() -> None:
    plain = file_of(Image.fromarray(picture()), "JPEG")
    for exif in (b"Exif\x00\x00garbage", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00"):
        data = file_of(Image.fromarray(picture()), "JPEG", exif=exif)
        np.testing.assert_array_equal(
            decode_photo(data, max_pixels=LIMIT).pixels, decode_photo(plain, max_pixels=LIMIT).pixels
        )


def test_a_dark_sixteen_bit_photo_stays_dark() -> None:
    dark = np.full((8, 8), 200, dtype=np.uint16)
    assert decode_photo(file_of(Image.fromarray(dark), "PNG"), max_pixels=LIMIT).pixels.max() <= 1


@pytest.mark.parametrize("image_format", ["PNG", "GIF"])
def test_a_transparent_palette_colour_is_kept(image_format: str) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([200, 0, 0, 0, 200, 0])
    image.paste(1, (0, 0, 4, 8))
    photo = decode_photo(file_of(image, image_format, transparency=1), max_pixels=LIMIT)
    assert photo.alpha is not None
    assert photo.alpha[0].tolist() == [0] * 4 + [255] * 4
    again = decode_photo(encode_photo(photo), max_pixels=LIMIT)
    np.testing.assert_array_equal(again.alpha, photo.alpha)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_encoding_keeps_pixels_and_format_and_drops_the_rest(image_format: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a secret comment")
    options: dict[str, object] = {"icc_profile": b"a secret profile"} if image_format not in ("BMP", "GIF") else {}
    options |= {"exif": exif} if image_format in ("JPEG", "PNG", "WEBP", "TIFF") else {}
    options |= {"pnginfo": text} if image_format == "PNG" else {}
    options |= {"comment": b"a secret comment"} if image_format in ("JPEG", "GIF") else {}
    photo = decode_photo(file_of(Image.fromarray(picture()), image_format, **options), max_pixels=LIMIT)
    data = encode_photo(photo)
    assert b"secret" not in data
    again = decode_photo(data, max_pixels=LIMIT)
    assert again.format == ("PNG" if image_format == "GIF" else image_format)
    difference = np.abs(again.pixels.astype(int) - photo.pixels)
    assert difference.mean() <= (6 if image_format in ("JPEG", "WEBP") else 0)
    with Image.open(io.BytesIO(data)) as image:
        assert len(image.getexif().get_ifd(0x8769)) == 0
        assert 0x010E not in image.getexif()


def test_alpha_comes_through() -> None:
    channels = np.concatenate([picture(), picture()[..., :1]], axis=2)
    photo = decode_photo(file_of(Image.fromarray(channels), "PNG"), max_pixels=LIMIT)
    again = decode_photo(encode_photo(photo), max_pixels=LIMIT)
    np.testing.assert_array_equal(again.alpha, channels[..., 3])
    np.testing.assert_array_equal(again.pixels[again.alpha > 0], channels[..., :3][again.alpha > 0])


def test_trouble_has_its_reason(tmp_path: Path) -> None:
    jpeg = file_of(Image.fromarray(picture(200, 200)), "JPEG")
    assert reason_of(b"") is Reason.EMPTY_FILE
    assert reason_of(b"no photo at all") is Reason.UNDECODABLE
    assert reason_of(jpeg[: len(jpeg) // 2]) is Reason.UNDECODABLE
    assert reason_of(file_of(Image.fromarray(picture(200, 200)), "PNG")[:300]) is Reason.UNDECODABLE
    assert reason_of(jpeg, limit=200 * 200 - 1) is Reason.TOO_LARGE
    with pytest.raises(UnreadablePhoto):
        load_photo(tmp_path / "not there.jpg", max_pixels=LIMIT)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_file_of_several_pictures_is_named_so(image_format: str) -> None:
    frames = [Image.fromarray(picture()), Image.fromarray(255 - picture())]
    data = file_of(frames[0], image_format, save_all=True, append_images=frames[1:])
    assert reason_of(data) is (Reason.SEVERAL_PAGES if image_format == "TIFF" else Reason.ANIMATED)


def test_a_huge_header_is_refused_without_decoding() -> None:
    data = bytearray(file_of(Image.fromarray(picture()), "BMP"))
    data[18:26] = (60_000).to_bytes(4, "little") + (60_000).to_bytes(4, "little")
    assert reason_of(bytes(data)) is Reason.TOO_LARGE
    assert reason_of(bytes(data), limit=10**11) is Reason.TOO_LARGE


def test_too_little_memory_is_not_blamed_on_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(MemoryError):
        decode_photo(b"anything", max_pixels=LIMIT)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF"])
@given(share=st.floats(0.02, 0.95))
@settings(max_examples=10, deadline=None)
def test_a_truncated_file_is_never_half_a_photo(image_format: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    data = file_of(Image.fromarray(noise), image_format)
    assert reason_of(data[: int(len(data) * share)]) is Reason.UNDECODABLE


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_photo_or_a_reason(data: bytes, magic: bytes) -> None:
    try:
        photo = decode_photo(magic + data, max_pixels=LIMIT)
    except UnreadablePhoto:
        return
    assert photo.pixels.dtype == np.uint8


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
@settings(max_examples=50, deadline=None)
def test_lossless_photos_come_back_bit_by_bit(pixels: np.ndarray) -> None:
    photo = decode_photo(file_of(Image.fromarray(pixels), "PNG"), max_pixels=LIMIT)
    np.testing.assert_array_equal(decode_photo(encode_photo(photo), max_pixels=LIMIT).pixels, pixels)


def test_release_names_fit_the_format() -> None:
    assert output_name("IMG_0001.HEIC", "HEIF") == "IMG_0001.HEIC.jpg"
    assert output_name("a.avif", "AVIF") == "a.avif"
    assert output_name("a/b.JPG", "JPEG") == "a/b.JPG"
    assert output_name("a/b.gif", "GIF") == "a/b.gif.png"
    assert output_name("b.jpg", "PNG") == "b.jpg.png"


def test_a_phone_jpeg_with_a_depth_map_is_its_first_picture() -> None:
    data = file_of(Image.fromarray(picture()), "MPO", save_all=True, append_images=[Image.fromarray(255 - picture())])
    photo = decode_photo(data, max_pixels=LIMIT)
    assert photo.format == "JPEG"
    assert np.abs(photo.pixels.astype(int) - picture()).mean() <= 8
    with Image.open(io.BytesIO(encode_photo(photo))) as image:
        assert getattr(image, "n_frames", 1) == 1


def test_crops_and_masks_are_kept_losslessly() -> None:
    np.testing.assert_array_equal(pixels_of(png_of(picture())), picture())
    np.testing.assert_array_equal(pixels_of(png_of(picture()[..., 0])), picture()[..., 0])
