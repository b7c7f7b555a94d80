"""Photos of one tint: grey and sepia prints keep their tint, new faces included."""

import numpy as np

NEAR = 6.0
"""Grey levels by which a pixel's channels may differ from those of its photo's tint: what JPEG does to them."""
SHARE, SHARE_OF_DRAWN = 0.998, 0.98
"""Of the photo's pixels, and of those that were drawn over, that must be so near."""
SAMPLES = 250_000
"""Pixels that are looked at."""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def toned(pixels: np.ndarray, original: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """A composed photo in which what was drawn has the tint of the original, if that has only one.

    pixels, original: uint8 [H, W, 3]; drawn: bool [H, W]. Outside of it not a bit changes. Black-and-white photos are
    the special case without any tint: R = G = B then, exactly.
    """
    if not drawn.any():
        return pixels
    step = max(1, int(np.sqrt(original.shape[0] * original.shape[1] / SAMPLES)))
    tint = _tint(original[::step, ::step].reshape(-1, 3), original[drawn])
    if tint is None:
        return pixels
    result = pixels.copy()
    result[drawn] = tint[_levels(pixels[drawn])]
    return result


def _tint(sample: np.ndarray, under: np.ndarray) -> np.ndarray | None:
    """The colour [256, 3] of each level of brightness; None if pixels [N, 3] of a level differ."""
    if not (np.ptp(sample, axis=1).any() or np.ptp(under, axis=1).any()):
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    seen = np.concatenate([sample, under])
    levels = _levels(seen)
    count = np.bincount(levels, minlength=256)
    known = np.flatnonzero(count)
    tint = np.empty((256, 3))
    for channel in range(3):
        means = np.bincount(levels, weights=seen[:, channel], minlength=256)[known] / count[known]
        # Between the levels that occur the tint goes on evenly, beyond them it stays as far from grey.
        tint[:, channel] = np.arange(256) + np.interp(np.arange(256), known, means - known)
    table = np.clip(np.rint(tint), 0, 255).astype(np.uint8)
    for part, share in ((sample, SHARE), (under, SHARE_OF_DRAWN)):
        off = np.abs(part.astype(np.int16) - table[_levels(part)]).max(axis=1)
        if (off <= NEAR).mean() < share:
            return None
    return table


def _levels(pixels: np.ndarray) -> np.ndarray:
    """Brightness of pixels uint8 [N, 3]: whole numbers 0 to 255 [N]."""
    levels: np.ndarray = np.clip(np.rint(pixels @ _LUMA), 0, 255).astype(np.int64)
    return levels
