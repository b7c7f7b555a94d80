"""Making a new face look as if it belonged: light, contrast, sharpness and grain of the old one, nothing else of it.

Everything happens in the logarithm of the pixel values, where light is added, not multiplied. What is taken from the
old face: its low frequencies (light and skin tone, blurred over a ninth of the crop), and a few numbers (how strong
each band of detail is, how much colour the detail has, how much grain). No detail of it is ever used as a picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np

OFFSET = 16.0
"""Added to 8-bit values before the logarithm, so that grain in the dark does not count as contrast."""
LIGHT_BLUR = 1 / 9
"""Standard deviation of the blur that leaves of a face its light, as a share of the crop's side."""
LIGHT_RATIO = (0.4, 2.5)
"""Within which the new face's light is changed."""
FINE_GAIN, COARSE_GAIN = (0.7, 2.2), (0.85, 1.25)
"""Within which detail is weakened or strengthened, below and above COARSE of the side."""
COARSE = 1 / 28
COLOUR_GAIN = 1.25
"""At most so much more colour in the details; at least none, for grey photos."""
SEAM = 0.035
"""Standard deviation over which the colours meet at the mask's edge, as a share of the side."""
ALIKE = 0.45
"""Log difference to a face's light beyond which a pixel outside of the mask is no skin that goes on."""
FACE_FROM = 0.25
"""From which value of its mask on the new face counts fully: a soft edge is still face."""
FILL_MARGIN = 0.02
"""How far inside its outline, as a share of the side, the new face is mixed with what is around it."""
MOST_BESIDE = 1.2
"""How much stronger than the old one's strongest detail the new one's may be beside eyes, nose and mouth."""
MOST_GRAIN = 4.0
"""Standard deviation, per band."""
EMPTY = 1e-4


@dataclass(frozen=True)
class Layers:
    """What is blended, at one scale. old, new: float32 [h, w, 3] in 0..255; the others float32 [h, w] in 0..1.

    mask: where the old face gives way; face: where `new` is face; core: what is always replaced; side: pixels of the
    crop's side.
    """

    old: np.ndarray
    new: np.ndarray
    mask: np.ndarray
    face: np.ndarray
    core: np.ndarray
    side: float


def correction(layers: Layers) -> np.ndarray:
    """What to add to log(new + OFFSET) so that it fits: float32 [h, w, 3]."""
    old, new = np.log(layers.old + OFFSET), np.log(layers.new + OFFSET)
    solid = _solid(layers.mask, layers.side)
    new = _filled(new, layers.face, layers.side)
    sigma = LIGHT_BLUR * layers.side
    old_light, new_light = _blurred(old, solid, sigma), _blurred(new, solid, sigma)
    light = new_light + np.clip(old_light - new_light, *np.log(LIGHT_RATIO))
    own_detail = _bounded(new - new_light, old - old_light, layers.core, solid, layers.side)
    detail = _detail(old - old_light, own_detail, solid, layers.side)
    fitted = light + detail
    return fitted + _seam(old, fitted, old_light, layers) - np.log(layers.new + OFFSET)


def _solid(mask: np.ndarray, side: float) -> np.ndarray:
    """Where a face is safely itself: the mask without its soft edge, so that nothing from outside counts."""
    full = (mask > 0.98).astype(np.uint8)
    reach = max(1, round(side / 64))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    solid = cv2.erode(full, disc, borderType=cv2.BORDER_CONSTANT, borderValue=1).astype(np.float32)
    return np.asarray(solid if solid.sum() >= 16 else np.maximum(full.astype(np.float32), EMPTY))


def _filled(new: np.ndarray, face: np.ndarray, side: float) -> np.ndarray:
    """The new picture with its hair and background painted over by the skin that ends there."""
    sure = (face > FACE_FROM).astype(np.float32)
    if sure.sum() < 16 or sure.all():
        return new
    depth = cv2.distanceTransform(sure.astype(np.uint8), cv2.DIST_L2, 5) / side
    weight = np.clip((depth - FILL_MARGIN) / FILL_MARGIN, EMPTY, 1) * sure
    fill = _blurred(new, weight, side / 8)
    for share in (1 / 16, 1 / 32, 1 / 64):
        near = _gauss(np.concatenate([new * weight[..., None], weight[..., None]], axis=2), share * side)
        fill = (near[..., :-1] + 0.02 * fill) / (near[..., -1:] + 0.02)
    kept = np.clip(depth / FILL_MARGIN, 0, 1)[..., None]
    filled: np.ndarray = kept * new + (1 - kept) * fill
    return filled


def _bounded(new: np.ndarray, old: np.ndarray, core: np.ndarray, solid: np.ndarray, side: float) -> np.ndarray:
    """Detail no stronger than the old face's beside the features: what is stronger there is a rest of background."""
    beside = (solid > 0.5) & (core < 0.5)
    if beside.sum() < 16:
        return new
    most = MOST_BESIDE * float(np.percentile(np.abs(old[beside]), 99)) + EMPTY
    free = _gauss(core, side / 40)[..., None]
    bounded: np.ndarray = np.clip(new, -most, most)
    return free * new + (1 - free) * bounded


def _blurred(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """The weighted Gaussian mean [h, w, C] around each pixel; where nothing has weight, the nearest that has."""
    step = max(1, int(sigma / 4))
    height, width = weight.shape
    size = (max(1, -(-width // step)), max(1, -(-height // step)))
    stack = np.concatenate([values * weight[..., None], weight[..., None]], axis=2)
    small = cv2.resize(stack, size, interpolation=cv2.INTER_AREA)
    total = (values * weight[..., None]).sum(axis=(0, 1)) / max(float(weight.sum()), EMPTY)
    near = _gauss(small, sigma / step)
    far = _gauss(near, 2 * sigma / step)
    # Beyond the reach of the blur a wider one goes on, and beyond that the mean.
    wide = (far[..., :-1] + EMPTY * total) / (far[..., -1:] + EMPTY)
    mean = (near[..., :-1] + 10 * EMPTY * wide) / (near[..., -1:] + 10 * EMPTY)
    return np.asarray(cv2.resize(mean.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR))


def _gauss(values: np.ndarray, sigma: float) -> np.ndarray:
    if sigma < 0.2:
        return values
    blurred = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred.reshape(values.shape))


def _detail(old: np.ndarray, new: np.ndarray, solid: np.ndarray, side: float) -> np.ndarray:
    """The new face's detail with the old one's strength, band by band, and its amount of colour."""
    old_grey, new_grey = old.mean(axis=2), new.mean(axis=2)
    tint = new - new_grey[..., None]
    colour = _ratio(old - old_grey[..., None], tint, solid[..., None])
    fitted, sigma = new_grey.copy(), 0.7
    old_rest, new_rest = old_grey, new_grey
    while sigma < LIGHT_BLUR * side / 2:
        old_next, new_next = _gauss(old_grey, sigma), _gauss(new_grey, sigma)
        gain = _ratio(old_rest - old_next, new_rest - new_next, solid)
        least, most = COARSE_GAIN if sigma > COARSE * side else FINE_GAIN
        fitted += (np.clip(gain, least, most) - 1) * (new_rest - new_next)
        old_rest, new_rest, sigma = old_next, new_next, sigma * 2
    return fitted[..., None] + min(colour, COLOUR_GAIN) * tint


def _ratio(old: np.ndarray, new: np.ndarray, weight: np.ndarray) -> float:
    """By how much stronger (root mean square) `old` is than `new`; 1 if there is nothing to compare."""
    strength = [float(np.sqrt((each**2 * weight).sum() / (weight.sum() + EMPTY))) for each in (old, new)]
    return strength[0] / strength[1] if strength[1] > EMPTY else 1.0


def _seam(old: np.ndarray, fitted: np.ndarray, light: np.ndarray, layers: Layers) -> np.ndarray:
    """What makes new skin meet the old skin just outside of the mask, where skin goes on; 0 away from the edge."""
    reach = max(1, round(SEAM * layers.side))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    ring = (cv2.dilate(layers.mask, disc) > 0.5) & (layers.mask < 0.1)
    alike = np.exp(-(((old - light) / ALIKE) ** 2).sum(axis=2)) * np.exp(-(((fitted - light) / ALIKE) ** 2).sum(axis=2))
    weight = (ring * alike).astype(np.float32)
    sigma = SEAM * layers.side
    stack = np.concatenate([(old - fitted) * weight[..., None], weight[..., None]], axis=2)
    near = _gauss(stack, sigma)
    return np.asarray(near[..., :-1] / (near[..., -1:] + 0.05))


def grain(old: np.ndarray, fitted: np.ndarray, mask: np.ndarray, seed: int) -> np.ndarray:
    """Noise float32 [h, w] that gives `fitted` [h, w, 3] the grain of `old`, with values of 0..255 in both."""
    noise = np.random.default_rng(seed).standard_normal(mask.shape, dtype=np.float32)
    old_grey, new_grey = old.mean(axis=2), fitted.mean(axis=2)
    result = np.zeros_like(noise)
    inside = mask > 0.9
    for fine, wide in ((0.0, 0.6), (0.6, 1.2), (1.2, 2.4)):
        bands = [_gauss(each, fine) - _gauss(each, wide) for each in (noise, old_grey, new_grey)]
        missing = min(_level(bands[1], inside), MOST_GRAIN) ** 2 - _level(bands[2], inside) ** 2
        result += np.sqrt(max(missing, 0.0)) / max(float(bands[0].std()), EMPTY) * bands[0]
    return result


def _level(band: np.ndarray, inside: np.ndarray) -> float:
    """The strength of a band where it is weakest: grain is everywhere, detail is not."""
    energy = np.sqrt(np.maximum(_gauss(band**2, 3.0), 0.0))
    return float(np.percentile(energy[inside], 20)) if inside.any() else 0.0
