"""Photos in and out: bounded and safe decoding, encoding without metadata."""

import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from falco_core.errors import UnreadablePhoto
from falco_core.photos.colour import of_gamma, to_srgb
from falco_core.photos.containers import riff_chunks
from falco_core.photos.jpeg import QUALITY, JpegStyle, encoded, style_of
from falco_core.photos.opening import SUFFIXES, guarded, loaded, opened
from falco_core.photos.tiff import BITS, ORIENTATION, Tiff, orientation_of
from falco_core.reasons import Reason

WRITTEN_AS = {"GIF": "PNG", "HEIF": "JPEG"}
"""Formats that are released as another one: a GIF's palette cannot hold a new face, HEIC's encoders are patented."""
AVIF_QUALITY = 90
AVIF_SPEED = 8
"""Of 0 (slowest) to 10."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of each EXIF orientation upright."""
_GREY = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N", "I", "F")


@dataclass(frozen=True)
class Photo:
    """A decoded photo as a viewer shows it, and how its file stored it.

    pixels: uint8 sRGB [H, W, 3], EXIF orientation applied; format: of the file it came from; alpha: uint8 [H, W], with
    black pixels where it is 0; grey: the file has one channel; lossless: it was compressed without loss; jpeg: how a
    JPEG file was compressed; loss: what of the file the release cannot keep, in words.
    """

    pixels: np.ndarray
    format: str
    alpha: np.ndarray | None = None
    grey: bool = False
    lossless: bool = True
    jpeg: JpegStyle | None = None
    loss: str = ""


def load_photo(path: Path, *, max_pixels: int) -> Photo:
    """Decode a photo file; raises UnreadablePhoto with the reason to withhold it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadablePhoto(Reason.UNDECODABLE, f"cannot be opened: {error.strerror}") from None
    return decode_photo(data, max_pixels=max_pixels)


def decode_photo(data: bytes, *, max_pixels: int) -> Photo:
    """Decode a photo file's bytes; raises UnreadablePhoto with the reason to withhold it."""
    return guarded(lambda: _decoded(loaded(opened(data, max_pixels), data), data))


def hidden_pixels(data: bytes, *, max_pixels: int) -> tuple[np.ndarray, np.ndarray] | None:
    """What a file with transparency holds, seen or not: uint8 [H, W, 3], alpha [H, W]; None for an opaque one.

    Raises UnreadablePhoto.
    """

    def read() -> tuple[np.ndarray, np.ndarray] | None:
        image = opened(data, max_pixels)
        if not image.has_transparency_data:
            return None
        channels = np.array(image.convert("RGBA"))
        return channels[..., :3], channels[..., 3]

    return guarded(read)


def encode_photo(photo: Photo, *, xmp: bytes = b"") -> bytes:
    """The photo's file in the format it is released in (`WRITTEN_AS`), without a profile or metadata but `xmp`.

    Lossless files stay lossless, JPEG files keep their tables and colour resolution or get finer ones, grey ones stay
    grey. BMP has no place for `xmp`.
    """
    image, file = _image_of(photo), io.BytesIO()
    marked = {"xmp": xmp} if xmp else {}
    match output_format(photo.format):
        case "JPEG":
            return encoded(image.convert("L" if photo.grey else "RGB"), photo.jpeg, xmp)
        case "WEBP":
            image.save(file, "WEBP", lossless=photo.lossless, quality=QUALITY, exact=True, **marked)
        case "AVIF":
            image.save(
                file, "AVIF", quality=AVIF_QUALITY, subsampling="4:4:4", speed=AVIF_SPEED, max_threads=1, **marked
            )
        case "BMP":
            # What reads 32 bits of a BMP file is divided over whether the last eight are transparency.
            (image.convert("RGB") if photo.alpha is not None else image).save(file, "BMP")
        case "TIFF":
            image.save(file, "TIFF", compression="tiff_lzw", tiffinfo={700: xmp} if xmp else {})
        case _:
            text = PngInfo()
            if xmp:
                text.add_itxt("XML:com.adobe.xmp", xmp.decode())
            image.save(file, "PNG", pnginfo=text)
    return file.getvalue()


def output_format(photo_format: str) -> str:
    """The format a photo of `photo_format` is released in."""
    return WRITTEN_AS.get(photo_format, photo_format)


def output_name(name: str, photo_format: str) -> str:
    """The release's file name: the photo's own, with its format's suffix behind it if its own is of another one."""
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


def _decoded(image: Image.Image, data: bytes) -> Photo:
    orientation = _orientation(image)
    profile, style, loss = image.info.get("icc_profile"), style_of(image), _loss(image, data)
    colour, alpha = _channels(image)
    colour = to_srgb(colour, profile)
    if not profile and image.format == "PNG" and "srgb" not in image.info and "gamma" in image.info:
        colour = of_gamma(colour, image.info["gamma"])
    if orientation in _TURNS:
        colour = colour.transpose(_TURNS[orientation])
        alpha = alpha and alpha.transpose(_TURNS[orientation])
        style = style and style.turned()
    pixels = np.array(colour.convert("RGB"))
    hidden = None if alpha is None else np.array(alpha)
    if hidden is not None:
        # What nobody sees must not be in the file either.
        pixels[hidden == 0] = 0
    return Photo(
        pixels=pixels,
        format="JPEG" if image.format == "MPO" else str(image.format),
        alpha=hidden,
        grey=image.mode in _GREY,
        lossless=image.format != "WEBP" or any(part.kind == "VP8L" for part in riff_chunks(data)),
        jpeg=style,
        loss=loss,
    )


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where it cannot be read."""
    if image.format == "TIFF":
        return int(image.getexif().get(ORIENTATION, 1))
    exif = image.info.get("exif", b"")
    return orientation_of(exif) if isinstance(exif, bytes) else 1


def _channels(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A picture's colours in eight bits, and its alpha channel (L) if it has one."""
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bit(image), None
    if not image.has_transparency_data:
        return image.convert("L" if image.mode == "1" else image.mode), None
    image = image.convert("LA" if image.mode in ("L", "LA", "La", "1") else "RGBA")
    return image.convert("L" if image.mode == "LA" else "RGB"), image.getchannel("A")


def _loss(image: Image.Image, data: bytes) -> str:
    """What of a photo's file its release cannot keep, in words."""
    bits = 8
    if image.mode.startswith("I") or image.mode == "F":
        bits = 16 if "16" in image.mode else 32
    elif image.format == "PNG":
        bits = data[24]
    elif image.format == "TIFF":
        tiff = Tiff(data)
        bits = max(tiff.numbers(tiff.directories[0], BITS), default=8)
    elif image.format in ("AVIF", "HEIF"):
        bits = _bits_of_item(data)
    losses = [f"{bits} bits per channel became 8"] if bits > 8 else []
    losses += ["inks (CMYK) became sRGB"] if image.mode == "CMYK" else []
    losses += ["transparency became black"] if image.format == "BMP" and image.has_transparency_data else []
    return ", ".join(losses)


def _bits_of_item(data: bytes) -> int:
    """Bits per channel of an AVIF or HEIC file, as its first pixel information property says; 8 without one."""
    at = data.find(b"pixi")
    return data[at + 9] if 0 <= at < len(data) - 9 else 8


def _image_of(photo: Photo) -> Image.Image:
    """The picture as its file will hold it."""
    pixels = photo.pixels
    if photo.alpha is not None:
        pixels = np.where(photo.alpha[..., None] == 0, np.uint8(0), pixels)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if photo.grey:
        image = image.convert("L")
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(np.ascontiguousarray(photo.alpha)))
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits by its type's range, not by its content; wider types by what they may hold."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    highest = values.max(initial=0.0)
    if image.mode.startswith("I;16") or highest > 255:
        top = 65535.0
    else:
        top = 1.0 if image.mode == "F" and highest <= 1 else 255.0
    return Image.fromarray(np.clip(values / top * 255.0, 0, 255).round().astype(np.uint8))
