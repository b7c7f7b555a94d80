"""The light on a face: a smooth picture of what lies on its skin, told apart from beards, frames and blown highlights.

Values are logarithms, where light is added, not multiplied. What is added to the pixel values before the logarithm is a
share of the face's own brightness (`Scale`): a face that is as dark again has the same contrasts, only lower.
"""

from dataclasses import dataclass

import cv2
import numpy as np

LIGHT_BLUR = 1 / 9
"""Standard deviation of the blur that leaves of a face its light, as a share of the crop's side."""
UNLIKE = 0.02
"""Weight in it of what is no plain skin: enough where there is nothing else."""
HUE = 0.35
"""Log difference of colour beyond which something is no skin of this face."""
SHADE = 0.5
"""Log difference of brightness to a smooth surface through the skin beyond which something is a beard, not a shadow."""
OF_A_BEARD = 0.002
"""Weight in the light of such a thing."""
JAW = 0.1
"""Weight, in that surface, of where a beard may grow: cheeks, nose and forehead say how the light falls."""
SURFACE_ROUNDS, SURFACE_SIZE = 6, 48
"""Of fitting that surface, and pixels of the picture in which it is fitted: it has six numbers."""
STIFF = 0.02
"""How much the surface resists being bent, so that it stays sound where it is only continued."""
BOUNDS = (3, 97)
"""Percentiles of the skin's brightness that the surface keeps to, where it is only continued, too."""
TOE = 0.12
"""Share of a face's brightness added before the logarithm: 16 of 255 on a usual face, so that black has an end."""
NOISE_TOE, MOST_TOE = 2.0, 1.0
"""At least so many standard deviations of the photo's noise, which else counts as contrast in the dark; at most that
share."""
BLOWN = 250.0
"""8-bit value from which a channel may have been brighter than the photo could say."""
FEW = 16
"""Pixels without which nothing can be measured."""
EMPTY = 1e-4


@dataclass(frozen=True)
class Scale:
    """Between 8-bit values and logarithms: log(value + toe)."""

    toe: float

    def log(self, values: np.ndarray) -> np.ndarray:
        """8-bit values -> logarithms, float32."""
        return np.asarray(np.log(values + self.toe))

    def values(self, logs: np.ndarray) -> np.ndarray:
        """The inverse of `log`."""
        return np.asarray(np.exp(logs) - self.toe)


def scales(old: np.ndarray, new: np.ndarray, weight: np.ndarray) -> tuple[Scale, Scale]:
    """The scales of two faces [h, w, 3] (8-bit values) whose skin has `weight` [h, w]: in both the same contrasts.

    The photo's noise widens both toes, so that dark noise is no contrast that the new face would have to match.
    """
    old_grey, new_grey = old.mean(axis=2), new.mean(axis=2)
    total = float(weight.sum()) + EMPTY
    levels = [max(float((each * weight).sum()) / total, 1.0) for each in (old_grey, new_grey)]
    noise = noise_level(old_grey - gauss(old_grey, 1.0), weight > 0.5)
    share = min(max(TOE, NOISE_TOE * noise / levels[0]), MOST_TOE)
    return Scale(share * levels[0]), Scale(share * levels[1])


def unblown(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A face [h, w, 3] (8-bit values) as a camera without an upper end would have seen its highlights.

    Where a channel is blown, it goes on in the skin's own colour from the channel that is blown last. Grey stays grey.
    """
    blown = values >= BLOWN
    sound = (weight > 0.5) & ~blown.any(axis=2)
    if not blown.any() or sound.sum() < FEW:
        return values
    colour = np.median(np.log(values[sound] + 1.0), axis=0)
    last = int(colour.argmin())
    meant = (values[..., last, None] + 1.0) * np.exp(colour - colour[last]) - 1.0
    return np.asarray(np.where(blown, np.maximum(values, meant), values), dtype=np.float32)


def light_of(logs: np.ndarray, skin: np.ndarray, jaw: np.ndarray, side: float) -> np.ndarray:
    """The light [h, w, 3] on a face of logarithms [h, w, 3] whose skin has the weight `skin` [h, w].

    jaw: [h, w], 1 where a beard may grow.
    """
    weight = _of_one_hue(logs, skin)
    grey = logs.mean(axis=2)
    # What is smooth is not blurred, which would flatten it towards the edge; the rest of the light is.
    surface = _surface(grey, weight * (1 - (1 - JAW) * jaw))
    if (weight > 0.5).sum() >= FEW:
        weight = weight * np.maximum(np.exp(-(((grey - surface) / SHADE) ** 4)), OF_A_BEARD)
    return np.asarray(surface[..., None] + spread(logs - surface[..., None], weight, LIGHT_BLUR * side))


def _of_one_hue(logs: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weight [h, w] without what differs in hue from most of it: things in front of a face have their own."""
    hue = logs - logs.mean(axis=2, keepdims=True)
    inside = weight > 0.5
    if inside.sum() < FEW:
        return weight
    away = ((hue - np.median(hue[inside], axis=0)) ** 2).sum(axis=2)
    return np.asarray(weight * np.maximum(np.exp(-away / HUE**2), UNLIKE))


def _surface(grey: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The surface of second order [h, w] through most of a weighted picture, whatever the rest is."""
    height, width = grey.shape
    scale = min(1.0, SURFACE_SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small, heavy = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (grey * weight, weight))
    terms, values = _terms(size[1], size[0]).reshape(-1, 6), (small / np.maximum(heavy, EMPTY)).ravel()
    given = heavy.ravel().astype(np.float64)
    trust, bend = given, np.zeros(6)
    stiff = np.diag(STIFF * (1e-3 + given.sum()) * np.array([0.0, 0, 0, 1, 1, 1])) + EMPTY * np.eye(6)
    for _ in range(SURFACE_ROUNDS):
        weighted = terms * trust[:, None]
        bend = np.linalg.solve(weighted.T @ terms + stiff, weighted.T @ values)
        trust = given / (1 + ((values - terms @ bend) / (SHADE / 2)) ** 2) ** 2
    known = values[given > 0.5 * float(given.max())]
    least, most = np.percentile(known, BOUNDS) if len(known) else (-np.inf, np.inf)
    return np.asarray(np.clip(_terms(height, width) @ bend, least, most), dtype=np.float32)


def _terms(height: int, width: int) -> np.ndarray:
    """1, x, y, x², xy, y² at the pixels of a picture, -1 to 1 across it: [h, w, 6]."""
    x = ((np.arange(width) + 0.5) / width * 2 - 1)[None, :] * np.ones((height, 1))
    y = ((np.arange(height) + 0.5) / height * 2 - 1)[:, None] * np.ones((1, width))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2)


def spread(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """The weighted Gaussian mean [h, w, C] around each pixel; beyond its reach a wider one, and then the mean."""
    total = (values * weight[..., None]).sum(axis=(0, 1)) / max(float(weight.sum()), EMPTY)
    far, near = (blurred(values, weight, each) for each in (2 * sigma, sigma))
    wide = (far[..., :-1] + EMPTY * total) / (far[..., -1:] + EMPTY)
    return np.asarray((near[..., :-1] + 10 * EMPTY * wide) / (near[..., -1:] + 10 * EMPTY))


def blurred(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """Blur of values times weight, and of weight: float32 [h, w, C + 1]; at a smaller scale, which is quicker."""
    stack: np.ndarray = np.concatenate([values * weight[..., None], weight[..., None]], axis=2).astype(np.float32)
    step = max(1, int(sigma / 3))
    height, width = weight.shape
    if step > 1:
        stack = np.asarray(cv2.resize(stack, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA))
    smooth = gauss(stack, sigma / step)
    return smooth if step == 1 else np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR))


def gauss(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur that takes the border to go on; none below what a pixel can show."""
    if sigma < 0.2:
        return values
    smooth = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth.reshape(values.shape))


def disc(radius: float) -> np.ndarray:
    """A disc as morphology takes it: uint8 [2 r + 1, 2 r + 1], r at least 1."""
    reach = max(1, round(radius))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))


WEAKEST, WEAKEST_OF_NOISE = 20, 0.2533
"""Percentile of a band's absolute values that is grain, and what it is in noise of standard deviation 1."""


def noise_level(band: np.ndarray, inside: np.ndarray) -> float:
    """The standard deviation of a band's noise, from its weakest values: grain is everywhere, detail is not."""
    if not inside.any():
        return 0.0
    return float(np.percentile(np.abs(band[inside]), WEAKEST)) / WEAKEST_OF_NOISE
