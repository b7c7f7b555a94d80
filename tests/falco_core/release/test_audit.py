import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from falco_core.errors import ProjectError
from falco_core.photos.codec import Photo, decode_photo, encode_photo
from falco_core.photos.containers import jpeg_parts, png_chunks
from falco_core.release.audit import Finding, audit_file, audit_folder
from falco_core.release.mark import MARK
from tests.falco_core.release.test_writer import MANIFEST

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (40, 61, 3)).astype(np.uint8)
ALPHA = np.where(np.arange(61) > 30, 255, 0).astype(np.uint8) * np.ones((40, 1), dtype=np.uint8)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF")
SECRET = b"SECRET of a named person"


def clean(photo_format: str, **stored: object) -> bytes:
    """A file as falco writes it."""
    return encode_photo(Photo(PIXELS, photo_format, **stored), xmp=MARK)  # type: ignore[arg-type]


def saved(photo_format: str, image: Image.Image | None = None, **options: object) -> bytes:
    """A file as another program may write it."""
    file = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(file, photo_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("photo_format", FORMATS)
@pytest.mark.parametrize("xmp", [b"", MARK])
@pytest.mark.parametrize("alpha", [None, ALPHA])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("lossless", [False, True])
def test_what_falco_writes_is_clean(
    photo_format: str, xmp: bytes, alpha: np.ndarray | None, grey: bool, lossless: bool
) -> None:
    photo = Photo(PIXELS, photo_format, alpha=alpha, grey=grey, lossless=lossless)
    assert audit_file(encode_photo(photo, xmp=xmp)) == []


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x010E] = SECRET.decode()
    return found


def png_text() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    return text


def after_jpeg_start(segment: bytes) -> bytes:
    data = clean("JPEG")
    return data[:2] + segment + data[2:]


def png_chunk(name: bytes, body: bytes) -> bytes:
    """A clean PNG file with one chunk more before its end."""
    data = clean("PNG")
    return (
        data[:-12]
        + struct.pack(">I", len(body))
        + name
        + body
        + struct.pack(">I", zlib.crc32(name + body))
        + data[-12:]
    )


def png_behind_the_rows() -> bytes:
    """A secret behind the compressed rows, inside of the picture's own chunk."""
    data = clean("PNG")
    part = next(chunk for chunk in png_chunks(data) if chunk.kind == "IDAT")
    body = part.of(data) + SECRET
    whole = struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    return data[: part.start - 8] + whole + data[part.end + 4 :]


def png_more_rows() -> bytes:
    """Rows that lie below the picture, compressed with it."""
    data = clean("PNG")
    part = next(chunk for chunk in png_chunks(data) if chunk.kind == "IDAT")
    body = zlib.compress(zlib.decompress(part.of(data)) + SECRET)
    whole = struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    return data[: part.start - 8] + whole + data[part.end + 4 :]


def jpeg_between_segments() -> bytes:
    data = clean("JPEG")
    at = next(part.start for part in jpeg_parts(data) if part.kind == "DB") - 4
    return data[:at] + SECRET + data[at:]


def webp_chunk() -> bytes:
    data = clean("WEBP", lossless=True) + b"NAME" + struct.pack("<I", len(SECRET)) + SECRET
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def tiff_gap() -> bytes:
    """A secret that no tag points to, before the directory."""
    data = clean("TIFF")
    (at,) = struct.unpack_from("<I", data, 4)
    return data[:4] + struct.pack("<I", len(data) + len(SECRET)) + data[8:] + SECRET + data[at:]


def thumbnail_in_jfif() -> bytes:
    data = clean("JPEG")
    part = next(part for part in jpeg_parts(data) if part.kind == "E0")
    body = part.of(data)[:-2] + b"\x02\x02" + bytes(range(12))
    return data[: part.start - 2] + struct.pack(">H", len(body) + 2) + body + data[part.end :]


def hidden(photo_format: str, **options: object) -> bytes:
    return saved(photo_format, Image.fromarray(np.dstack([PIXELS, ALPHA])), **options)


def avif_metadata_unit() -> bytes:
    """A secret in a metadata unit of the coded picture itself."""
    data = clean("AVIF")
    at = data.index(b"mdat") + 4 + len(MARK)
    unit = bytes([5 << 3 | 2, len(SECRET)]) + SECRET
    data = data[:at] + unit + data[at:]
    box = data.index(b"mdat") - 4
    data = data[:box] + struct.pack(">I", len(data) - box) + data[box + 4 :]
    place = data.index(b"iloc") + 4 + 8
    (item, reference, count, start, length) = struct.unpack_from(">HHHII", data, place)
    assert (item, count) == (1, 1)
    return data[:place] + struct.pack(">HHHII", item, reference, count, start, length + len(unit)) + data[place + 14 :]


PLANTED: dict[str, tuple[Callable[[], bytes], str]] = {
    "exif in jpeg": (lambda: saved("JPEG", exif=exif()), "metadata"),
    "exif in png": (lambda: saved("PNG", exif=exif()), "EXIF"),
    "exif in webp": (lambda: saved("WEBP", exif=exif()), "EXIF"),
    "exif in avif": (lambda: saved("AVIF", exif=exif()), "EXIF"),
    "description in tiff": (lambda: saved("TIFF", exif=exif()), "description"),
    "author in tiff": (lambda: saved("TIFF", tiffinfo={315: SECRET.decode()}), "author"),
    "profile in jpeg": (lambda: saved("JPEG", icc_profile=SECRET), "profile"),
    "profile in png": (lambda: saved("PNG", icc_profile=SECRET), "profile"),
    "profile in webp": (lambda: saved("WEBP", icc_profile=SECRET), "profile"),
    "profile in tiff": (lambda: saved("TIFF", icc_profile=SECRET), "profile"),
    "profile in avif": (lambda: saved("AVIF", icc_profile=SECRET), "profile"),
    "xmp in jpeg": (lambda: saved("JPEG", xmp=SECRET), "metadata"),
    "xmp in webp": (lambda: saved("WEBP", xmp=SECRET), "XMP"),
    "xmp in avif": (lambda: saved("AVIF", xmp=SECRET), "XMP"),
    "xmp in tiff": (lambda: saved("TIFF", tiffinfo={700: SECRET}), "(700)"),
    "mark and more": (lambda: saved("JPEG", xmp=MARK.replace(b"<?xpacket end", SECRET + b"<?xpacket end")), "metadata"),
    "a second mark": (lambda: after_jpeg_start(clean("JPEG")[20:][: 4 + 29 + len(MARK)]), "more than one"),
    "comment in jpeg": (lambda: saved("JPEG", comment=SECRET), "comment"),
    "text in png": (lambda: saved("PNG", pnginfo=png_text()), "text"),
    "time in png": (lambda: png_chunk(b"tIME", bytes(7)), "time"),
    "private chunk in png": (lambda: png_chunk(b"seCt", SECRET), "chunk"),
    "second picture in jpeg": (
        lambda: saved("MPO", save_all=True, append_images=[Image.fromarray(255 - PIXELS)]),
        "second picture",
    ),
    "thumbnail in jfif": (thumbnail_in_jfif, "thumbnail"),
    "application segment": (
        lambda: after_jpeg_start(b"\xff\xe5" + struct.pack(">H", 2 + len(SECRET)) + SECRET),
        "FFE5",
    ),
    "between segments": (jpeg_between_segments, "between"),
    "behind the rows": (png_behind_the_rows, "behind its picture data"),
    "below the picture": (png_more_rows, "picture data than"),
    "chunk in webp": (webp_chunk, "chunk"),
    "gap in tiff": (tiff_gap, "belong to no part"),
    "pages of a tiff": (lambda: saved("TIFF", save_all=True, append_images=[Image.fromarray(PIXELS)]), "2 pages"),
    "frames of a webp": (
        lambda: saved("WEBP", save_all=True, append_images=[Image.fromarray(255 - PIXELS)]),
        "animation",
    ),
    "colours under png": (lambda: hidden("PNG"), "transparent"),
    "colours under tiff": (lambda: hidden("TIFF"), "transparent"),
    "colours under webp": (lambda: hidden("WEBP", lossless=True, exact=True), "transparent"),
    "metadata unit in avif": (avif_metadata_unit, "metadata"),
    "a gif": (lambda: saved("GIF"), "no picture of a format"),
    "a text": (lambda: SECRET, "no picture of a format"),
    "half a png": (lambda: clean("PNG")[:200], "damaged"),
    "half a jpeg": (lambda: clean("JPEG")[:-2], "end marker"),
    "in the scan of a jpeg": (lambda: clean("JPEG")[:-2] + SECRET + b"\xff\xd9", "behind its picture data"),
} | {f"behind {name}": (lambda name=name: clean(name) + SECRET, "") for name in FORMATS}  # type: ignore[misc]


@pytest.mark.parametrize("case", PLANTED)
def test_whatever_is_planted_is_found(case: str) -> None:
    make, words = PLANTED[case]
    found = audit_file(make())
    assert found
    assert words in ", ".join(found), found


@pytest.mark.parametrize("photo_format", FORMATS)
def test_whatever_comes_in_goes_out_clean(photo_format: str) -> None:
    options = {"icc_profile": SECRET, "exif": exif(), "xmp": SECRET} if photo_format not in ("BMP", "TIFF") else {}
    data = saved(photo_format, **options) + SECRET
    released = encode_photo(decode_photo(data, max_pixels=10**6), xmp=MARK)
    assert audit_file(released) == []
    assert b"SECRET" not in released


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("size", [(8, 8), (17, 9), (64, 64)])
@pytest.mark.parametrize("progressive", [False, True])
def test_flat_and_noisy_jpegs_hold_nothing(quality: int, size: tuple[int, int], progressive: bool) -> None:
    noise = Image.fromarray(RNG.integers(0, 256, (*size, 3)).astype(np.uint8))
    slope = Image.fromarray(np.add.outer(np.arange(size[0]), np.arange(size[1])).astype(np.uint8)).convert("RGB")
    for image in (noise, slope, Image.new("RGB", size, (90, 120, 200)), Image.new("L", size, 255)):
        assert audit_file(saved("JPEG", image, quality=quality, progressive=progressive)) == []


def test_a_folder_is_looked_through_to_its_last_file(tmp_path: Path) -> None:
    (tmp_path / "photos/deep").mkdir(parents=True)
    (tmp_path / "manifest.json").write_text(MANIFEST.text())
    (tmp_path / "photos/deep/a.png").write_bytes(clean("PNG"))
    assert list(audit_folder(tmp_path)) == []
    (tmp_path / "photos/b.jpg").write_bytes(clean("PNG"))
    (tmp_path / "photos/link.png").symlink_to(tmp_path / "photos/deep/a.png")
    (tmp_path / "photos/elsewhere").symlink_to(tmp_path)
    (tmp_path / "photos/notes.txt").write_bytes(SECRET)
    (tmp_path / "photos/deep/.DS_Store").write_bytes(b"")
    found = {(finding.file, finding.what) for finding in audit_folder(tmp_path)}
    assert found == {
        ("photos/b.jpg", "a name that is not of its format (PNG)"),
        ("photos/link.png", "a link"),
        ("photos/elsewhere", "a link"),
        ("photos/notes.txt", "no picture of a format that falco releases"),
        ("photos/deep/.DS_Store", "a hidden file"),
    }
    assert str(Finding("a", "b")) == "a: b"


@pytest.mark.parametrize(
    "text",
    [
        MANIFEST.text() + SECRET.decode(),
        MANIFEST.text().replace("{", '{"falco": "SECRET",', 1),
        json.dumps({"note": "SECRET", **MANIFEST.model_dump(mode="json")}),
        "not json",
    ],
)
def test_a_manifest_holds_a_manifest_and_nothing_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    assert [finding.file for finding in audit_folder(tmp_path)] == ["manifest.json"]


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is not a folder"):
        list(audit_folder(tmp_path / "nowhere"))
