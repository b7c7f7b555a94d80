"""Colour management: photos become sRGB when they are decoded, whatever profile they were written with."""

import io

import numpy as np
from PIL import Image, ImageCms

SAME = 2
"""Levels of 255 by which a conversion may move colours and still be none: other makers' sRGB profiles do that."""
SRGB_GAMMA = 1 / 2.2
"""The exponent that PNG files of sRGB pictures name (gAMA)."""
SAME_GAMMA = 0.02
_STEPS = 17
"""Levels per channel of the colours that tell whether a profile is sRGB."""


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A picture (1, L, RGB, CMYK) of a colour profile in sRGB: L stays L, all others become RGB.

    Pixels of a profile that says sRGB in other words stay as they are, bit by bit. A profile that is broken or of
    another colour model than the picture says nothing: then inks are converted without one, and the rest is sRGB.
    """
    plain = "L" if image.mode in ("1", "L") else "CMYK" if image.mode == "CMYK" else "RGB"
    image = image.convert(plain)
    transform = _transform(profile, plain) if profile else None
    if transform is None:
        return image.convert("RGB") if plain == "CMYK" else image
    if plain == "L":
        levels = np.asarray(_applied(Image.fromarray(np.arange(256, dtype=np.uint8)[None]), transform))[0]
        # Grey axes of profiles are neutral up to rounding: grey stays grey.
        return _leveled(image, levels.astype(np.float64).mean(axis=1).round())
    return image if plain == "RGB" and _is_srgb(transform) else _applied(image, transform)


def of_gamma(image: Image.Image, gamma: float) -> Image.Image:
    """A picture (L, RGB) whose values are light to the power of `gamma` (PNG's gAMA) in sRGB."""
    if not 0.05 < gamma < 5 or abs(gamma - SRGB_GAMMA) < SAME_GAMMA:
        return image
    light = np.linspace(0.0, 1.0, 256) ** (1 / gamma)
    low = light <= 0.0031308
    return _leveled(image, (np.where(low, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255).round())


def _leveled(image: Image.Image, levels: np.ndarray) -> Image.Image:
    return image.point(list(np.clip(levels, 0, 255).astype(int)) * len(image.getbands()))


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile to sRGB; None if the profile is of no use."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        intent = ImageCms.getDefaultIntent(source)
        return ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), mode, "RGB", renderingIntent=ImageCms.Intent(intent)
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # not in place
    return converted


def _is_srgb(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    moved = np.asarray(_applied(Image.fromarray(lattice), transform)).astype(np.int16) - lattice
    return int(np.abs(moved).max()) <= SAME
