"""How a photo was stored is how it is released: modes, depth, losslessness, compression, what a viewer shows of it."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from falco_core.errors import UnreadablePhoto
from falco_core.photos.codec import Photo, decode_photo, encode_photo
from falco_core.reasons import Reason

LIMIT = 1_000_000


def scene(height: int = 96, width: int = 128) -> np.ndarray:
    """Something with edges and colours, uint8 [H, W, 3]."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [100 + 90 * np.sin(x / 7) * np.cos(y / 9), 60 + x, 200 - y + 20 * ((x // 16 + y // 16) % 2)]
    return np.clip(np.stack(waves, axis=2), 0, 255).astype(np.uint8)


def file_of(image: Image.Image, image_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def decoded(data: bytes) -> Photo:
    return decode_photo(data, max_pixels=LIMIT)


def written(data: bytes) -> Image.Image:
    """The file that a photo becomes."""
    image = Image.open(io.BytesIO(encode_photo(decoded(data))))
    image.load()
    return image


@pytest.mark.parametrize(
    ("image_format", "mode", "options"),
    [
        ("JPEG", "L", {}),
        ("PNG", "L", {}),
        ("PNG", "LA", {}),
        ("PNG", "RGBA", {}),
        ("TIFF", "L", {}),
        ("TIFF", "RGBA", {}),
        ("BMP", "L", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("WEBP", "RGB", {"lossless": True}),
    ],
)
def test_modes_are_kept(image_format: str, mode: str, options: dict[str, object]) -> None:
    image = Image.fromarray(scene()).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(np.maximum(scene()[..., 1], 1)))
    result = written(file_of(image, image_format, **options))
    assert result.mode == mode
    if image_format != "JPEG":
        np.testing.assert_array_equal(np.asarray(result), np.asarray(image))


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_grey_that_is_stored_as_colour_stays_grey(image_format: str) -> None:
    grey = Image.fromarray(scene()).convert("L").convert("RGB")
    result = np.asarray(written(file_of(grey, image_format)).convert("RGB"))
    # A lossy WebP file's colours are coarse: it shows grey as grey, or a level beside it.
    assert int(np.ptp(result, axis=2).max()) <= (1 if image_format == "WEBP" else 0)


def test_lossy_webp_stays_lossy() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8))
    data = file_of(noise, "WEBP", quality=80)
    assert len(encode_photo(decoded(data))) < len(file_of(noise, "WEBP", lossless=True)) * 0.8


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [98, 85, 75])
def test_a_jpeg_keeps_its_tables_and_colour_resolution(quality: int, subsampling: int) -> None:
    data = file_of(Image.fromarray(scene()), "JPEG", quality=quality, subsampling=subsampling)
    result, before = written(data), Image.open(io.BytesIO(data))
    assert isinstance(result, JpegImagePlugin.JpegImageFile) and isinstance(before, JpegImagePlugin.JpegImageFile)
    assert result.quantization == before.quantization
    assert JpegImagePlugin.get_sampling(result) == subsampling
    # So what was not touched comes out as it went in, but for rounding.
    assert np.abs(np.asarray(result).astype(int) - np.asarray(before)).mean() < (0.3 if subsampling == 0 else 0.8)


def test_a_coarse_jpeg_is_released_in_a_finer_one() -> None:
    data = file_of(Image.fromarray(scene()), "JPEG", quality=20)
    result, before = written(data), Image.open(io.BytesIO(data))
    assert isinstance(result, JpegImagePlugin.JpegImageFile) and isinstance(before, JpegImagePlugin.JpegImageFile)
    assert max(result.quantization[0]) < max(before.quantization[0]) / 2


def test_a_turned_jpeg_is_not_coarser_in_either_direction() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    table = list(range(2, 66))
    data = file_of(Image.fromarray(scene()), "JPEG", qtables=[table, table], subsampling=1, exif=exif)
    result = written(data)
    assert isinstance(result, JpegImagePlugin.JpegImageFile)
    assert (result.height, result.width) == (128, 96)
    square = np.array(table).reshape(8, 8)
    assert (np.array(result.quantization[0]).reshape(8, 8) <= np.minimum(square, square.T)).all()
    assert JpegImagePlugin.get_sampling(result) == 0


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("lacks", [1, 2])
def test_a_jpeg_without_its_end_marker_is_whole(progressive: bool, lacks: int) -> None:
    data = file_of(Image.fromarray(scene()), "JPEG", progressive=progressive)
    np.testing.assert_array_equal(decoded(data[:-lacks]).pixels, decoded(data).pixels)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_a_jpeg_that_lacks_more_is_not(progressive: bool, share: float) -> None:
    data = file_of(Image.fromarray(scene(300, 400)), "JPEG", progressive=progressive)
    with pytest.raises(UnreadablePhoto) as error:
        decoded(data[: int(len(data) * share)])
    assert error.value.reason is Reason.UNDECODABLE


def png_of_16_bits(values: np.ndarray) -> bytes:
    """A PNG file of uint16 [H, W, 3], which Pillow cannot write."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)))
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in (*chunks, (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return data


def test_deeper_photos_become_8_bits_and_it_is_said() -> None:
    grey = np.asarray(Image.fromarray(scene()).convert("L"))
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    colour = png_of_16_bits(scene().astype(np.uint16) * 257)
    for data in (file_of(sixteen, "PNG"), file_of(sixteen, "TIFF"), colour):
        photo = decoded(data)
        assert "16 bits per channel became 8" in photo.loss
        np.testing.assert_array_equal(photo.pixels, scene() if data is colour else np.dstack([grey] * 3))
    assert decoded(file_of(Image.fromarray(scene()), "PNG")).loss == ""


@pytest.mark.parametrize(("image_format", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_colours_under_transparency_are_gone(image_format: str, options: dict[str, object]) -> None:
    alpha = np.zeros((96, 128), dtype=np.uint8)
    alpha[:, 64:], alpha[:, 60:64] = 255, 1
    data = file_of(Image.fromarray(np.dstack([scene(), alpha])), image_format, exact=True, **options)
    result = np.asarray(written(data))
    np.testing.assert_array_equal(result[:, 60:, :3], scene()[:, 60:])
    np.testing.assert_array_equal(result[..., 3], alpha)
    assert not result[:, :60, :3].any()


def test_heic_is_read_and_released_as_jpeg() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    photo = decoded(file_of(Image.fromarray(scene()), "HEIF", quality=95))
    assert photo.format == "HEIF"
    assert np.abs(photo.pixels.astype(int) - scene()).mean() < 4
    assert encode_photo(photo)[:3] == b"\xff\xd8\xff"


def test_avif_is_read_and_released_as_avif() -> None:
    photo = decoded(file_of(Image.fromarray(scene()), "AVIF", quality=95, subsampling="4:4:4"))
    again = decoded(encode_photo(photo))
    assert again.format == "AVIF"
    assert np.abs(again.pixels.astype(int) - photo.pixels).mean() < 3


def test_a_tiff_with_a_smaller_copy_is_a_photo() -> None:
    image = Image.fromarray(scene())
    data = file_of(image, "TIFF", save_all=True, append_images=[image.resize((32, 24))])
    np.testing.assert_array_equal(decoded(data).pixels, scene())
    assert getattr(written(data), "n_frames", 1) == 1


def tiff_of(directories: int, entries: int) -> bytes:
    """A TIFF header of many directories, of which every value is half the file."""
    size = 2 + 12 * entries + 4
    data = b"II*\0" + struct.pack("<I", 8)
    for number in range(directories):
        following = 0 if number == directories - 1 else 8 + (number + 1) * size
        values = b"".join(
            struct.pack("<HHII", 40000 + n % 20000, 1, size * directories // 2, 8) for n in range(entries)
        )
        data += struct.pack("<H", entries) + values + struct.pack("<I", following)
    return data


@pytest.mark.parametrize(("directories", "entries"), [(60_000, 1), (1, 60_000), (60, 500)])
def test_a_header_of_endless_directories_is_refused_at_once(directories: int, entries: int) -> None:
    data = tiff_of(directories, entries)
    started = time.process_time()
    with pytest.raises(UnreadablePhoto) as error:
        decoded(data)
    assert error.value.reason is Reason.UNDECODABLE
    assert time.process_time() - started < 1


def test_exif_of_endless_entries_is_passed_over_at_once() -> None:
    data = file_of(Image.fromarray(scene()), "PNG", exif=b"Exif\0\0" + tiff_of(1, 60_000))
    started = time.process_time()
    np.testing.assert_array_equal(decoded(data).pixels, scene())
    assert time.process_time() - started < 1


def test_a_gif_of_many_frames_is_named_at_once() -> None:
    frames = [Image.new("L", (1, 1), number % 255) for number in range(300)]
    one = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:3])
    end = one.rindex(b"!\xf9")
    data = one[:end] + one[end:-1] * 60_000 + b";"
    started = time.process_time()
    with pytest.raises(UnreadablePhoto) as error:
        decoded(data)
    assert error.value.reason is Reason.ANIMATED
    assert time.process_time() - started < 1
