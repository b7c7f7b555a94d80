"""Photos stored and named in every way that once went wrong, made of the demo photos (rendered people, nobody real).

Every secret text in them begins with SECRET: it must be nowhere in a release.
"""

import io
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

from tests.falco_core.photos.profiles import DISPLAY_P3, rgb_profile

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LONG = "g" * 251 + ".gif"
SEPIA = np.array([1.0, 0.87, 0.68])


def make_folder(folder: Path, demo: Path) -> None:
    """Fill `folder`; its photos are about 130 pixels wide, with a face of about 65."""
    folder.mkdir(parents=True)
    sky = _demo(demo / "open_sky.png")
    _profiles(folder, sky)
    _modes(folder, sky)
    _transparency(folder, sky, _demo(demo / "office_window.png"))
    _containers(folder, sky)
    _names(folder, sky)


def sky_of(demo: Path) -> np.ndarray:
    """The picture that nearly all of them show, uint8 [H, W, 3]."""
    return np.asarray(_demo(demo / "open_sky.png"))


def _demo(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB").reduce(3)


def _profiles(folder: Path, sky: Image.Image) -> None:
    sky.save(folder / "display_p3.png", icc_profile=rgb_profile(DISPLAY_P3, 2.2, b"SECRETICC of a named person"))
    sky.save(folder / "srgb.png", icc_profile=SRGB)
    sky.save(folder / "junk_profile.jpg", quality=92, icc_profile=b"SECRETJUNK 48.137,11.575")


def _modes(folder: Path, sky: Image.Image) -> None:
    grey = sky.convert("L")
    grey.save(folder / "grey.jpg")
    grey.convert("LA").save(folder / "grey_alpha.png")
    grey.convert("RGB").save(folder / "grey_as_rgb.png")
    sepia = np.rint(np.asarray(grey)[..., None] * SEPIA).astype(np.uint8)
    Image.fromarray(sepia).save(folder / "sepia.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257 + 13).save(folder / "grey_16_bit.png")
    sky.convert("CMYK").save(folder / "inks.tif")


def _transparency(folder: Path, sky: Image.Image, office: Image.Image) -> None:
    width, height = sky.size
    wide = Image.new("RGB", (2 * width, height), (40, 60, 200))
    wide.paste(sky, (0, 0))
    alpha = Image.new("L", wide.size, 255)
    alpha.paste(office.convert("L").resize((width, height)), (width, 0))
    drawn = wide.copy()
    drawn.putalpha(alpha)
    drawn.save(folder / "alpha_draws_a_face.png")
    hidden = wide.copy()
    hidden.paste(office.resize((width, height)), (width, 0))
    alpha.paste(0, (width, 0, 2 * width, height))
    hidden.putalpha(alpha)
    hidden.save(folder / "face_under_transparency.png")


def _containers(folder: Path, sky: Image.Image) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "SECRETTEXT")
    text.add_itxt("XML:com.adobe.xmp", "SECRETXMP")
    exif = Image.Exif()
    exif[0x010E] = "SECRETEXIF"
    sky.save(folder / "text_chunks.png", pnginfo=text, exif=exif)
    sky.save(folder / "lossless.webp", lossless=True, exif=exif, xmp="SECRETXMP")
    sky.save(folder / "photo.avif", quality=90, exif=exif)
    file = io.BytesIO()
    sky.save(file, "JPEG", quality=92, exif=exif, comment="SECRETCOMMENT")
    (folder / "motion_photo.jpg").write_bytes(file.getvalue() + b"MotionPhoto_Data" + b"SECRETTRAILER" * 200)
    file = io.BytesIO()
    sky.save(file, "JPEG", quality=92, progressive=True)
    (folder / "progressive_without_end.jpg").write_bytes(file.getvalue()[:-2])
    sky.save(folder / "with_preview.tif", save_all=True, append_images=[sky.resize((50, 50))])
    pillow_heif.register_heif_opener()
    sky.save(folder / "whole.heic", quality=90, exif=exif)
    (folder / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500)


def _names(folder: Path, sky: Image.Image) -> None:
    sky.save(folder / LONG)
    sky.save(folder / "a.gif")
    (folder / "a.gif.png").mkdir()
    sky.save(folder / "a.gif.png" / "inside.png")
    sky.save(folder / "Photo.JPG")
    sky.save(folder / "photo.jpg", quality=90)
    sky.save(folder / "really_webp.jpg", "WEBP", quality=90)
