"""Opening photo files: bounded and safe, whatever they hold."""

import io
import warnings
from collections.abc import Callable
from functools import lru_cache
from threading import RLock
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from falco_core.errors import UnreadablePhoto
from falco_core.photos.jpeg import without_end
from falco_core.photos.tiff import HEIGHT, REDUCED, SUBFILE, WIDTH, Tiff
from falco_core.reasons import Reason

Decoded = TypeVar("Decoded")
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif"),
}
"""The formats that are read, and the file names they may have."""

_ALONE = RLock()


def guarded(decode: Callable[[], Decoded]) -> Decoded:
    """What `decode` returns; whatever a broken file makes it raise becomes the reason to withhold it."""
    try:
        # What is warned of is one setting for all threads.
        with _ALONE, warnings.catch_warnings():
            # Size is limited here, by the header, before anything is decoded.
            warnings.simplefilter("ignore")
            return decode()
    except (UnreadablePhoto, MemoryError):
        raise  # too little memory is no fault of the photo
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise UnreadablePhoto(Reason.TOO_LARGE, f"more than {limit} pixels, the most that is decoded") from None
    except UnidentifiedImageError:
        raise UnreadablePhoto(Reason.UNDECODABLE, "not an image of a known format, or damaged at its start") from None
    except Exception as error:  # decoders raise almost anything on broken files
        raise UnreadablePhoto(Reason.UNDECODABLE, " ".join(str(error).split()) or type(error).__name__) from None


def opened(data: bytes, max_pixels: int) -> Image.Image:
    """The file's picture, of which the header is read and found to be sound; raises what `guarded` understands."""
    if not data:
        raise UnreadablePhoto(Reason.EMPTY_FILE, "the file has no content")
    if data[:2] in (b"II", b"MM"):
        _check_pages(data)
    _can_read_heif()
    image = Image.open(io.BytesIO(data), formats=tuple(SUFFIXES))
    _check_header(image, max_pixels)
    return image


@lru_cache(maxsize=1)
def _can_read_heif() -> None:
    """Teach Pillow HEIC; loaded with the first photo."""
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


def _check_pages(data: bytes) -> None:
    """Raise UnreadablePhoto for a TIFF file that holds more than a picture and smaller copies of it."""
    tiff = Tiff(data)
    sizes = [(tiff.number(page, WIDTH), tiff.number(page, HEIGHT)) for page in tiff.directories]
    for page, (width, height) in list(zip(tiff.directories, sizes, strict=True))[1:]:
        smaller = 2 * width <= sizes[0][0] and 2 * height <= sizes[0][1]
        alike = abs(width * sizes[0][1] - height * sizes[0][0]) <= max(sizes[0])
        if not (tiff.number(page, SUBFILE) & REDUCED or (smaller and alike)):
            raise UnreadablePhoto(Reason.SEVERAL_PAGES, f"has {len(sizes)} pages: export the wanted one as a photo")


def _check_header(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise UnreadablePhoto(Reason.TOO_LARGE, f"{width} x {height} pixels, align.max_pixels is {max_pixels}")
    # Phones keep depth maps and bursts behind the photo, which comes first; a TIFF's pages were looked at before.
    if image.format not in ("MPO", "TIFF", "HEIF") and getattr(image, "is_animated", False):
        raise UnreadablePhoto(Reason.ANIMATED, "has several frames: export the wanted one as a photo")


def loaded(image: Image.Image, data: bytes) -> Image.Image:
    """An opened picture with its pixels; a JPEG file may lack its end marker."""
    try:
        image.load()
    except OSError:
        whole = without_end(data) if image.format == "JPEG" else None
        if whole is None:
            raise
        image = Image.open(io.BytesIO(whole), formats=("JPEG",))
        image.load()
    return image
