"""How a JPEG file is compressed, so that its release is compressed as well or better; and files without their end."""

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, JpegImagePlugin

QUALITY = 95
"""Of photos that do not say how well they were compressed."""
LEAST_QUALITY = 75
"""Coarser tables than this quality's would change what is drawn beyond what the second look accepts."""
FULL, HALF, QUARTER = 0, 1, 2
"""Colour resolution 4:4:4, 4:2:2, 4:2:0, in Pillow's numbers."""
_END = b"\xff\xd9"
_NOISE = bytes((37 * number + 11) % 251 for number in range(4096))
"""Entropy-coded data that says something, without a marker in it."""


@dataclass(frozen=True)
class JpegStyle:
    """Quantization tables (64 numbers each, row by row) of luma and chroma, and the colour resolution."""

    luma: tuple[int, ...]
    chroma: tuple[int, ...]
    subsampling: int

    def turned(self) -> "JpegStyle":
        """For a picture whose rows may have become columns: nothing coarser in either direction."""
        subsampling = FULL if self.subsampling == HALF else self.subsampling
        return JpegStyle(_either_way(self.luma), _either_way(self.chroma), subsampling)


def style_of(image: Image.Image) -> JpegStyle | None:
    """How a JPEG file was compressed; None if it is no ordinary YCbCr or grey picture."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in ("RGB", "L"):
        return None
    if image.info.get("adobe_transform") == 0 and image.mode == "RGB":
        return None  # its tables are of R, G and B
    try:
        tables = [np.array(image.quantization[layer[3]]) for layer in image.layer]
    except (KeyError, IndexError):
        return None
    if not tables or any(table.shape != (64,) or table.min() < 1 for table in tables):
        return None
    finest = _tables(LEAST_QUALITY)
    luma, chroma = tables[0], np.minimum.reduce(tables[1:] or tables)
    subsampling = JpegImagePlugin.get_sampling(image)
    return JpegStyle(
        luma=tuple(np.minimum(luma, finest[0]).tolist()),
        chroma=tuple(np.minimum(chroma, finest[1]).tolist()),
        subsampling=subsampling if subsampling in (HALF, QUARTER) else FULL,
    )


def encoded(image: Image.Image, style: JpegStyle | None, xmp: bytes) -> bytes:
    """The JPEG file of an RGB or L picture."""
    options: dict[str, object] = {"quality": QUALITY, "subsampling": FULL}
    if style is not None:
        tables = [list(style.luma)] if image.mode == "L" else [list(style.luma), list(style.chroma)]
        options = {"qtables": tables, "subsampling": style.subsampling}
    if xmp:
        options["xmp"] = xmp
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def without_end(data: bytes) -> bytes | None:
    """A JPEG file that lacks its end marker, with one; None if more is missing than that.

    It is whole if what follows its data changes nothing: where data is missing, a decoder draws whatever comes.
    """
    body = data.rstrip(b"\xff")
    plain, noisy = (body + _END, body + _NOISE + _END)
    with _open(plain) as first, _open(noisy) as second:
        same = first.size == second.size and np.array_equal(np.asarray(first), np.asarray(second))
    return plain if same else None


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=("JPEG",))


def _either_way(table: tuple[int, ...]) -> tuple[int, ...]:
    """The finer of a table and its transpose."""
    square = np.array(table).reshape(8, 8)
    return tuple(np.minimum(square, square.T).ravel().tolist())


@lru_cache(maxsize=1)
def _tables(quality: int) -> tuple[np.ndarray, np.ndarray]:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    with _open(file.getvalue()) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        return np.array(image.quantization[0]), np.array(image.quantization[1])
