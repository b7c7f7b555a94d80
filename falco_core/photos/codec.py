"""Photos in and out: bounded and safe decoding, encoding without metadata."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from falco_core.errors import UnreadablePhoto
from falco_core.reasons import Reason

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
}
"""The formats that are read, and the file names they may have."""
JPEG_QUALITY = 95
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of each EXIF orientation upright."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo as a viewer shows it.

    pixels: uint8 RGB [H, W, 3], EXIF orientation applied; format: of the file it came from; icc_profile: its colour
    profile; alpha: uint8 [H, W].
    """

    pixels: np.ndarray
    format: str
    icc_profile: bytes | None = None
    alpha: np.ndarray | None = None


def load_photo(path: Path, *, max_pixels: int) -> Photo:
    """Decode a photo file; raises UnreadablePhoto with the reason to withhold it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadablePhoto(Reason.UNDECODABLE, f"cannot be opened: {error.strerror}") from None
    return decode_photo(data, max_pixels=max_pixels)


def decode_photo(data: bytes, *, max_pixels: int) -> Photo:
    """Decode a photo file's bytes; raises UnreadablePhoto with the reason to withhold it."""
    if not data:
        raise UnreadablePhoto(Reason.EMPTY_FILE, "the file has no content")
    try:
        with warnings.catch_warnings():
            # Size is limited here, by the header, before anything is decoded.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=tuple(SUFFIXES))
            _check_header(image, max_pixels)
            return _decoded(image)
    except (UnreadablePhoto, MemoryError):
        raise  # too little memory is no fault of the photo
    except Image.DecompressionBombError:
        limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
        raise UnreadablePhoto(Reason.TOO_LARGE, f"more than {limit} pixels, the most that is decoded") from None
    except UnidentifiedImageError:
        raise UnreadablePhoto(Reason.UNDECODABLE, "not an image of a known format") from None
    except Exception as error:  # decoders raise almost anything on broken files
        raise UnreadablePhoto(Reason.UNDECODABLE, " ".join(str(error).split()) or type(error).__name__) from None


def encode_photo(photo: Photo) -> bytes:
    """The photo's file in its own format (a GIF as PNG: its palette cannot hold a new face), without metadata."""
    channels = [photo.pixels] if photo.alpha is None else [photo.pixels, photo.alpha[..., None]]
    image = Image.fromarray(np.ascontiguousarray(np.concatenate(channels, axis=2)))
    file = io.BytesIO()
    profile = {"icc_profile": photo.icc_profile} if photo.icc_profile else {}
    match output_format(photo.format):
        case "JPEG":
            image.convert("RGB").save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0, **profile)
        case "WEBP":
            image.save(file, "WEBP", quality=JPEG_QUALITY, **profile)
        case "BMP":
            image.save(file, "BMP")
        case "TIFF":
            image.save(file, "TIFF", compression="tiff_lzw", **profile)
        case _:
            image.save(file, "PNG", **profile)
    return file.getvalue()


def output_format(photo_format: str) -> str:
    """The format a photo of `photo_format` is released in."""
    return "PNG" if photo_format == "GIF" else photo_format


def output_name(name: str, photo_format: str) -> str:
    """The release's file name: the photo's own, with `.png` behind it if its suffix is not of its format."""
    chosen = output_format(photo_format)
    fits = PurePosixPath(name).suffix.lower() in SUFFIXES[chosen]
    return name if fits else f"{name}{SUFFIXES[chosen][0]}"


def png_of(pixels: np.ndarray) -> bytes:
    """The PNG file of uint8 [H, W, 3] or [H, W]: equal pixels give equal bytes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def pixels_of(png: bytes) -> np.ndarray:
    """The inverse of `png_of`."""
    # Crops of many faces are one picture here: there is no limit to guard.
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        return np.asarray(image)


def _check_header(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise UnreadablePhoto(Reason.TOO_LARGE, f"{width} x {height} pixels, align.max_pixels is {max_pixels}")
    # Phones keep a depth or brightness map as a second picture of a JPEG: the first one is the photo.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise UnreadablePhoto(Reason.ANIMATED, "has several frames: export the wanted one as a photo")


def _decoded(image: Image.Image) -> Photo:
    name = "JPEG" if image.format == "MPO" else str(image.format)
    profile = image.info.get("icc_profile")
    image.load()
    image = _upright(image)
    if image.mode in ("CMYK", "YCCK", "LAB", "HSV"):
        # The profile describes inks, not the RGB values that are released.
        profile = None
    elif image.mode in ("L", "LA", "1", "I;16", "I;16B", "I;16L", "I", "F"):
        profile = None
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if has_alpha:
        array = np.asarray(image.convert("RGBA"))
        return Photo(array[..., :3].copy(), name, profile, array[..., 3].copy())
    return Photo(np.asarray(image.convert("RGB")), name, profile)


def _upright(image: Image.Image) -> Image.Image:
    """Turned by its EXIF orientation; as it is stored where that cannot be read, as viewers do."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # broken EXIF raises almost anything
        return image
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits by its type's range, not by its content; wider types by what they may hold."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    highest = values.max(initial=0.0)
    if image.mode.startswith("I;16") or highest > 255:
        top = 65535.0
    else:
        top = 1.0 if image.mode == "F" and highest <= 1 else 255.0
    return Image.fromarray(np.clip(values / top * 255.0, 0, 255).round().astype(np.uint8))
