"""Making a new face look as if it belonged: light, contrast, sharpness and grain of the old one, nothing else of it.

Everything happens in the logarithm of the pixel values, where light is added, not multiplied. What is taken from the
old face: its low frequencies (light and skin tone, blurred over a ninth of the crop: `light.py`), and a few numbers
(how strong each band of detail is, how much colour the detail has, how much grain). No detail of it is ever used as a
picture. The constants are those of a trial on photos, looked at by eye (docs/composing.md).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from falco_core.faces.light import (
    EMPTY,
    FEW,
    LIGHT_BLUR,
    UNLIKE,
    Scale,
    blurred,
    disc,
    gauss,
    light_of,
    noise_level,
    scales,
    spread,
    unblown,
)

LIGHT_RATIO = (0.2, 4.0)
"""Within which the new face's light is changed, apart from its mean colour."""
FINE_GAIN, COARSE_GAIN = (0.3, 2.0), (0.7, 1.2)
"""Within which detail is weakened or strengthened, below and above COARSE of the side."""
COARSE = 1 / 28
COLOUR_GAIN = 1.25
"""At most so much more colour in the details; at least none, for grey photos."""
EXTREMES = (0.1, 99.5)
"""Percentiles of the old face's detail beyond which nothing is strengthened: eyes would glow."""
GLARE, GLARE_OF_OLD = 0.45, 1.4
"""Log difference to the skin beyond which nothing in the new face is brighter, and the same as a multiple of the old
face's brightest detail, if that is more: white teeth are 0.4 on fair skin, 0.9 on dark."""
MOST_TINT = 0.6
"""Log difference of a colour channel to the others beyond which detail has no more colour: green frames have 0.5."""
SEAM = 0.035
"""Standard deviation over which the colours meet at the mask's edge, as a share of the side."""
MOST_SEAM, MOST_SEAM_TINT = 0.3, 0.08
"""Log difference by which brightness and colour are changed there, at most: what asks for more is hair or clothes."""
ALIKE = 0.35
"""Log difference to a face's light beyond which a pixel outside of the mask is no skin that goes on."""
FACE_FROM = 0.25
"""From which value of its mask on the new face counts: a soft edge is still face."""
FACE_LACKS = 0.4
"""By how much of the mask the new face is less: the width of a soft edge that lies a hundredth of the side off."""
FILL_MARGIN = 0.08
"""How far inside its outline, as a share of the side, the new face is mixed with what is around it."""
MOST_BESIDE, STRONGEST = 1.2, 99.8
"""How much stronger than this percentile of the old one's detail the new one's may be beside eyes, nose and mouth."""
BRIGHTEST, DARKEST, DARK = 0.12, 0.05, 2
"""Log difference to the light that skin below the nose, and darker skin above it, may have at least; percentile of the
old face's that is its darkest."""
HALF = 0.5
"""Of a soft mask: its edge."""
BOUNDED = 0.61
"""From which value of the mask on the new face's detail is bounded, fully at 1."""
OUTSIDE = 0.1
"""Below which value of the mask a pixel is the old photo's."""
MOST_GRAIN = 4.0
"""Standard deviation, per band, of 8-bit values."""
GRAIN_BANDS = ((0.0, 0.6), (0.6, 1.2), (1.2, 2.4))
"""Between which blurs (standard deviations in pixels) grain is compared; coarser noise is skin."""
GRAIN_SHARE = 0.8
"""Of the old face's: noise is seen sooner than the pores it stands for."""
GRAIN_FINER = 1 / 100
"""Of the side: what is coarser is not grain, but the face."""
GRAIN_WINDOW = 512
"""Pixels of the square in the middle of a face in which grain is measured: enough, and quick in huge faces."""


@dataclass(frozen=True)
class Layers:
    """What is blended, at one scale. old, new: float32 [h, w, 3] in 0..255; the others float32 [h, w] in 0..1.

    mask: where the old face gives way; face: where `new` is face; core: what is always replaced; worn: the new face's
    glasses; features: eyes, brows and mouth; jaw: where a beard may grow; side: pixels of the crop's side.
    """

    old: np.ndarray
    new: np.ndarray
    mask: np.ndarray
    face: np.ndarray
    core: np.ndarray
    worn: np.ndarray
    features: np.ndarray
    jaw: np.ndarray
    side: float


@dataclass(frozen=True)
class Correction:
    """How to change a new face so that it fits: what to add to its logarithm [h, w, 3], and the two faces' scales."""

    change: np.ndarray
    old: Scale
    new: Scale

    def applied(self, new: np.ndarray, change: np.ndarray) -> np.ndarray:
        """The new face [h, w, 3] (8-bit values) as it fits; change: `self.change` at its size."""
        return self.old.values(self.new.log(new) + change)


def correction(layers: Layers) -> Correction:
    """What makes the new face fit."""
    side = layers.side
    solid = _solid(layers.mask, side)
    old_scale, new_scale = scales(layers.old, layers.new, solid)
    old, new = old_scale.log(unblown(layers.old, solid)), new_scale.log(layers.new)
    shown = _filled(new_scale.log(unblown(layers.new, solid)), layers)
    # Light is what lies on skin. Eyes, brows and mouth would darken it where they are, which nobody should learn.
    skin = solid * np.maximum(1 - layers.features, UNLIKE)
    old_light, new_light = (light_of(each, skin, layers.jaw, side) for each in (old, shown))
    light = new_light + _within_reason(old_light - new_light, skin)
    detail = _bounded(shown - new_light, old - old_light, layers, solid)
    fitted = light + _matched(old - old_light, detail, solid, layers)
    return Correction(fitted + _seam(old, fitted, old_light, layers) - new, old_scale, new_scale)


def grain(old: np.ndarray, fitted: np.ndarray, mask: np.ndarray, *, side: float, seed: int) -> np.ndarray:
    """Noise float32 [h, w] that gives `fitted` [h, w, 3] the grain of `old`, with values of 0..255 in both."""
    bands = [band for band in GRAIN_BANDS if band[1] <= GRAIN_FINER * side]
    window = _middle(mask)
    old_grey, new_grey, inside = old[window].mean(axis=2), fitted[window].mean(axis=2), mask[window] > 0.9
    noise = np.random.default_rng(seed).standard_normal(mask.shape, dtype=np.float32)
    result: np.ndarray = np.zeros(mask.shape, dtype=np.float32)
    # Coarse to fine: a band's noise reaches into the finer ones.
    for fine, wide in reversed(bands):
        wanted, there = (noise_level(_band(each, fine, wide), inside) for each in (old_grey, new_grey))
        made = float(_band(result[window], fine, wide).std())
        missing = min(GRAIN_SHARE * wanted, MOST_GRAIN) ** 2 - there**2 - made**2
        if missing > 0:
            band = _band(noise, fine, wide)
            result = np.asarray(result + math.sqrt(missing) / max(float(band.std()), EMPTY) * band)
    return result


def _band(values: np.ndarray, fine: float, wide: float) -> np.ndarray:
    return np.asarray(gauss(values, fine) - gauss(values, wide))


def _solid(mask: np.ndarray, side: float) -> np.ndarray:
    """Where a face is safely itself: the mask without its soft edge, so that nothing from outside counts."""
    full = (mask > 0.98).astype(np.uint8)
    solid = cv2.erode(full, disc(side / 64), borderType=cv2.BORDER_CONSTANT, borderValue=1).astype(np.float32)
    return np.asarray(solid if solid.sum() >= FEW else np.maximum(full.astype(np.float32), EMPTY))


def _within_reason(change: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A change of light [h, w, 3] whose places differ from its mean, of each channel, within LIGHT_RATIO only."""
    mean = (change * weight[..., None]).sum(axis=(0, 1)) / max(float(weight.sum()), EMPTY)
    least, most = (math.log(ratio) for ratio in LIGHT_RATIO)
    return np.asarray(mean + np.clip(change - mean, least, most))


def _filled(new: np.ndarray, layers: Layers) -> np.ndarray:
    """The new picture; what of its hair and background would be pasted is painted over by the skin that ends there."""
    sure = layers.face > FACE_FROM
    missing = layers.mask - layers.face > FACE_LACKS
    sure &= ~missing
    if sure.sum() < FEW or not missing.any():
        return new
    margin = FILL_MARGIN * layers.side
    weight = np.clip(_depth(sure) / margin - 1, EMPTY, 1) * sure
    fill = spread(new, weight, layers.side / 8)
    for share in (1 / 16, 1 / 32, 1 / 64):
        near = blurred(new, weight, share * layers.side)
        fill = (near[..., :-1] + 0.02 * fill) / (near[..., -1:] + 0.02)
    kept = gauss(np.clip(_depth(~missing) / margin, 0, 1), margin / 3)[..., None]
    return np.asarray(kept * new + (1 - kept) * fill)


def _depth(region: np.ndarray) -> np.ndarray:
    """How many pixels each place of a region lies from its edge; 0 outside."""
    return np.asarray(cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5))


def _bounded(new: np.ndarray, old: np.ndarray, layers: Layers, solid: np.ndarray) -> np.ndarray:
    """Detail no stronger than the old face's beside the features: what is stronger there is a rest of background."""
    beside = (solid > 0.5) & (layers.core < 0.5)
    if beside.sum() < FEW:
        return new
    most = MOST_BESIDE * float(np.percentile(np.abs(old[beside]), STRONGEST)) + EMPTY
    # Light on a beard is low, and a neck below it would shine.
    brightest = MOST_BESIDE * float(np.percentile(old[beside].mean(axis=1), STRONGEST)) + EMPTY
    free = gauss(cv2.dilate(layers.core, disc(layers.side / 25)), layers.side / 50)
    # Towards the edge there is less of it anyway, and what lies there may be hair that is the same in both.
    inside = np.clip((layers.mask - BOUNDED) / (1 - BOUNDED), 0.0, 1.0)
    free = np.maximum(1 - (1 - free) * inside, layers.worn)[..., None]
    # Above the nose skin is bare: what is darker there is the shadow of a fringe that the photo does not have.
    bare = beside & (layers.jaw < HALF)
    darkest = MOST_BESIDE * float(-np.percentile(old[bare].mean(axis=1), DARK)) if bare.sum() >= FEW else most
    below = layers.jaw[..., None]
    bounded = np.clip(new, -most, most)
    grey = bounded.mean(axis=2, keepdims=True)
    bounded = bounded - below * np.maximum(grey - max(brightest, BRIGHTEST), 0.0)
    bounded = bounded + (1 - below) * np.maximum(-max(darkest, DARKEST) - grey, 0.0)
    return np.asarray(free * new + (1 - free) * bounded)


def _matched(old: np.ndarray, new: np.ndarray, solid: np.ndarray, layers: Layers) -> np.ndarray:
    """The new face's detail with the old one's strength, band by band, and its colour; glasses do not fade."""
    side = layers.side
    old_grey, new_grey = old.mean(axis=2), new.mean(axis=2)
    tint = new - new_grey[..., None]
    colour = min(_ratio(old - old_grey[..., None], tint, solid[..., None]), COLOUR_GAIN)
    fitted, sigma = new_grey.copy(), 0.7
    soft = gauss(solid, side / 64)
    fading = soft * (1 - layers.worn)
    old_rest, new_rest = old_grey, new_grey
    while sigma < LIGHT_BLUR * side / 2:
        # What lies outside of the face must not count, not even through a blur.
        share = gauss(solid, sigma) + EMPTY
        old_next, new_next = (gauss(each * solid, sigma) / share for each in (old_grey, new_grey))
        gain = _gain(old_rest - old_next, new_rest - new_next, solid, coarse=sigma > COARSE * side)
        fitted += (gain - 1) * (soft if gain > 1 else fading) * (new_rest - new_next)
        old_rest, new_rest, sigma = old_next, new_next, sigma * 2
    if (solid > 0.5).sum() >= FEW:
        least, most = (float(each) for each in np.percentile(old_grey[solid > 0.5], EXTREMES))
        fitted = np.clip(fitted, np.minimum(new_grey, least), np.maximum(new_grey, most))
        fitted = _without_glare(fitted, max(GLARE, GLARE_OF_OLD * most))
    colour = np.maximum(colour, layers.worn)[..., None]
    return np.asarray(fitted[..., None] + np.clip(colour * tint, -MOST_TINT, MOST_TINT))


def _without_glare(detail: np.ndarray, most: float) -> np.ndarray:
    """Detail that ends softly below `most`: from 0.85 of it on it rises ever more slowly."""
    knee = 0.85 * most
    over = np.maximum(detail - knee, 0)
    return np.asarray(np.minimum(detail, knee) + (most - knee) * np.tanh(over / (most - knee)))


def _gain(old: np.ndarray, new: np.ndarray, solid: np.ndarray, *, coarse: bool) -> float:
    """By how much to strengthen a band; not beyond where it is all grain."""
    least, most = COARSE_GAIN if coarse else FINE_GAIN
    inside = solid > 0.5
    if inside.sum() >= FEW:
        floors = [float(np.median(np.abs(each[inside]))) for each in (old, new)]
        most = min(most, max(1.0, floors[0] / (floors[1] + EMPTY)))
    return float(np.clip(_without_grain(old, inside) / max(_without_grain(new, inside), EMPTY), least, most))


def _without_grain(band: np.ndarray, inside: np.ndarray) -> float:
    """How strong a band (root mean square) is where grain is taken out of it: features, not noise, set a contrast."""
    if not inside.any():
        return 1.0
    power = float((band[inside] ** 2).mean())
    return math.sqrt(max(power - noise_level(band, inside) ** 2, power / 10))


def _ratio(old: np.ndarray, new: np.ndarray, weight: np.ndarray) -> float:
    """By how much stronger (root mean square) `old` is than `new`; 1 if there is nothing to compare."""
    strength = [float(np.sqrt((each**2 * weight).sum() / (weight.sum() + EMPTY))) for each in (old, new)]
    return strength[0] / strength[1] if strength[1] > EMPTY else 1.0


def _seam(old: np.ndarray, fitted: np.ndarray, light: np.ndarray, layers: Layers) -> np.ndarray:
    """What makes new skin meet the old skin just outside of the mask, where skin goes on; 0 away from the edge."""
    sigma = SEAM * layers.side
    ring = (cv2.dilate(layers.mask, disc(sigma)) > 0.5) & (layers.mask < OUTSIDE)
    away = ((old - light) ** 2).sum(axis=2) + ((fitted - light) ** 2).sum(axis=2)
    weight = (ring * np.exp(-away / ALIKE**2)).astype(np.float32)
    near = blurred(old - fitted, weight, sigma)
    seam = near[..., :-1] / (near[..., -1:] + 0.05)
    grey = seam.mean(axis=2, keepdims=True)
    tint = seam - grey
    return np.asarray(_softly(grey, MOST_SEAM) + _softly(tint, MOST_SEAM_TINT))


def _softly(values: np.ndarray, most: float) -> np.ndarray:
    """Values that end softly at `most` on both sides."""
    return np.asarray(most * np.tanh(values / most))


def _middle(mask: np.ndarray) -> tuple[slice, slice]:
    """A window of at most GRAIN_WINDOW pixels around the mask's centre."""
    slices = []
    for axis in (1, 0):
        used = np.flatnonzero((mask > 0.9).any(axis=axis))
        centre = int(used.mean()) if len(used) else mask.shape[1 - axis] // 2
        slices.append(slice(max(centre - GRAIN_WINDOW // 2, 0), centre + GRAIN_WINDOW // 2))
    return slices[0], slices[1]
