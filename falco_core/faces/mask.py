"""Which part of a photo, or of an aligned crop, is the face: what compose replaces and what losses look at."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

from falco_core.faces.outline import smoothed
from falco_core.faces.segment import FEWEST, colour_model, cut, likelihood

# The face oval in units of the distances between the landmarks. Generous: it must cover brows, cheeks and chin of
# every face, since whatever lies outside of it stays the original.
HALF_WIDTH_EYES = 1.05
HALF_WIDTH_HEIGHT = 0.88
ABOVE_EYES = 0.82
BELOW_MOUTH = 0.92
"""A laughing mouth's corners are far above its chin."""
TURN_WIDENS = 0.5
TURN_SHIFTS = 0.6
"""Per offset of the nose: a turned face shows more cheek and jaw behind the eyes, and its nose still lies inside."""
# Squarer than an ellipse, for jaws.
EXPONENT = 2.4

ALIGNED_LANDMARKS = np.array([[0.375, 0.472], [0.625, 0.472], [0.5, 0.611], [0.4, 0.75], [0.6, 0.75]])
"""Where an upright frontal face's landmarks lie in its aligned crop, as shares of the side (`align.crop_quad`)."""
RIM = 1.1
"""How far beyond the aligned oval the losses look fully: faces differ, and the blend reaches a little outside."""
FALLS_OVER = 0.25
"""Share of the rim's size over which the weight falls to OUTSIDE."""
OUTSIDE = 0.02
"""Enough to keep hair and background from running wild, too little to cost anything."""

WORK = 128
"""Pixels of the picture in which a mask is computed: outlines are smooth at this size, and 0.1 s is enough."""
INNER = 0.85
"""Up to which oval distance a pixel should be face: what is missing there counts as covered."""
LIMIT = 1.15
"""Oval distance at which a mask ends even where skin goes on."""
AROUND = 1.22
"""From which oval distance on colours are not the face's (apart from ears and neck, which are told by colour)."""
EDGE = 0.022
"""Width of the mask's soft edge, as a share of the crop's side; it lies inside of the outline."""
EDGE_ON_SKIN = 0.06
"""The same where it is the oval that ends the mask, and skin goes on."""
EDGE_AT_BORDER = 0.045
"""The same where the crop ends below a chin."""
HUE_SPREAD = 0.05
"""By how much the shares of red, green and blue differ within skin, at least."""
# What must never stay, around the landmarks, in units of the eye-to-mouth distance.
CORE_BESIDE = 0.36
CORE_BESIDE_EYES = 0.34
"""Of the distance between the eyes: on a turned face the far brow ends at the outline."""
CORE_BROWS = 0.42
CORE_NOSE = 0.25
CORE_MOUTH_BESIDE, CORE_MOUTH_BELOW = 0.14, 0.3
# Half axes of the features, and how far above an eye its own lies, in the same unit.
EYE_SIZE, MOUTH_SIZE, BROWS_ABOVE = (0.42, 0.3), (0.6, 0.3), 0.12
JAW_FROM = 0.15
"""How far below the nose, in the same unit, there is surely room for a beard."""


@dataclass(frozen=True)
class Oval:
    """The face's outline in the photo: centre and axes [2] as unit vectors, half sizes in pixels."""

    centre: np.ndarray
    across: np.ndarray
    down: np.ndarray
    half_width: float
    up_size: float
    down_size: float

    def distance(self, positions: np.ndarray) -> np.ndarray:
        """positions [h, w, 2] -> [h, w]: 0 at the centre, 1 on the outline."""
        offset = positions - self.centre
        x = np.abs(offset @ self.across) / self.half_width
        y = offset @ self.down
        y = np.where(y < 0, -y / self.up_size, y / self.down_size)
        distance: np.ndarray = (x**EXPONENT + y**EXPONENT) ** (1 / EXPONENT)
        return distance


def face_oval(landmarks: np.ndarray) -> Oval:
    """The oval that covers the face of landmarks [5, 2], from above the brows to below the chin."""
    points = np.asarray(landmarks, dtype=np.float64)
    eye, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    height = max(float(np.hypot(*(mouth - eye))), 1e-6)
    width = float(np.hypot(*(points[1] - points[0])))
    down = (mouth - eye) / height
    across = np.array([down[1], -down[0]])
    # On a turned face the eyes move together, so the height decides; the nose says to which side it is turned.
    turned = float((points[2] - (eye + mouth) / 2) @ across)
    centre = (eye + mouth) / 2 - TURN_SHIFTS * turned * across
    return Oval(
        centre=centre,
        across=across,
        down=down,
        half_width=max(HALF_WIDTH_EYES * width, HALF_WIDTH_HEIGHT * height + TURN_WIDENS * abs(turned)),
        up_size=(0.5 + ABOVE_EYES) * height,
        down_size=(0.5 + BELOW_MOUTH) * height,
    )


@dataclass(frozen=True)
class MaskQuality:
    """How well a mask covers its face: the share of the face oval's inner part that it leaves out."""

    covered: float


def face_mask(crop: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, MaskQuality]:
    """What of an aligned original is its face, as far as a new face may replace it.

    crop: uint8 [S, S, 3]; landmarks: [5, 2] in pixels of the crop -> float32 [S, S] in 0..1. Follows the face's
    outline and leaves out hair, hands and what else is in front of it; but eyes, brows, nose and mouth are always
    fully inside, whatever lies on them. Landmarks that make no face give the oval of an upright one.
    """
    size = crop.shape[0]
    points = np.asarray(landmarks, dtype=np.float64) * (WORK / size)
    if not _sound(points):
        points = ALIGNED_LANDMARKS * WORK
    image = cv2.resize(crop, (WORK, WORK), interpolation=cv2.INTER_AREA if size > WORK else cv2.INTER_LINEAR)
    oval = face_oval(points)
    distance = oval.distance(_centres(WORK))
    core = core_mask(points, WORK)
    found = _whole(_face_by_colour(image, oval, points, distance, core), core)
    found = smoothed(found, oval, points[3:].mean(axis=0)) | core
    inner = distance < INNER
    quality = MaskQuality(covered=float((inner & ~found).sum() / max(inner.sum(), 1)))
    within = (LIMIT - distance) * min(oval.half_width, oval.up_size, oval.down_size)
    mask = _softened(found, core, within=within, size=size)
    mask[core_mask(points * (size / WORK), size)] = 1.0
    return mask, quality


def mask_to_bytes(mask: np.ndarray) -> np.ndarray:
    """A mask float [S, S] in 0..1 as it is stored: uint8, 255 for 1."""
    return np.asarray(np.rint(np.clip(mask, 0.0, 1.0) * 255.0), dtype=np.uint8)


def mask_of_bytes(stored: np.ndarray) -> np.ndarray:
    """The inverse of `mask_to_bytes`, up to its rounding: float32 in 0..1."""
    return np.asarray(stored, dtype=np.float32) / 255.0


def core_mask(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Eyes, brows, nose and mouth, with a margin, for landmarks [5, 2] in pixels of a square: bool [size, size]."""
    filled = np.zeros((size, size), dtype=np.uint8)
    cv2.fillConvexPoly(filled, np.rint(core_hull(landmarks) - 0.5).astype(np.int32), 1)
    return filled.astype(bool)


def core_hull(landmarks: np.ndarray) -> np.ndarray:
    """The corners [N, 2] of the convex part of a face that must never stay."""
    points = np.asarray(landmarks, dtype=np.float64)
    oval = face_oval(points)
    height = float((points[3:].mean(axis=0) - points[:2].mean(axis=0)) @ oval.down)
    eyes = float(np.hypot(*(points[1] - points[0])))
    turned = float((points[2] - (points[:2].mean(axis=0) + points[3:].mean(axis=0)) / 2) @ oval.across)
    near, far = CORE_BESIDE * height, min(CORE_BESIDE * height, CORE_BESIDE_EYES * eyes)
    corners = []
    for side, eye, mouth in ((-1, points[0], points[3]), (1, points[1], points[4])):
        beside = far if turned * side > 0 else near
        corners += [
            eye + side * 0.5 * beside * oval.across - CORE_BROWS * height * oval.down,
            eye + side * beside * oval.across - 0.6 * CORE_BROWS * height * oval.down,
            eye + side * beside * oval.across + 0.1 * height * oval.down,
            points[2] + side * CORE_NOSE * height * oval.across,
            mouth + side * CORE_MOUTH_BESIDE * height * oval.across,
            mouth + CORE_MOUTH_BELOW * height * oval.down,
        ]
    hull: np.ndarray = cv2.convexHull(np.array(corners, dtype=np.float32))[:, 0].astype(np.float64)
    return hull


def features_mask(landmarks: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """1 on eyes with their brows and on the mouth of a face in photo pixels, 0 elsewhere: float32 [h, w]."""
    oval = face_oval(landmarks)
    height = float((landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)) @ oval.down)
    angle = float(np.degrees(np.arctan2(oval.across[1], oval.across[0])))
    filled = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)
    eyes = [(eye - BROWS_ABOVE * height * oval.down, EYE_SIZE) for eye in landmarks[:2]]
    for centre, size in [*eyes, (landmarks[3:].mean(axis=0), MOUTH_SIZE)]:
        place = np.rint(centre - [columns.start + 0.5, rows.start + 0.5]).astype(int).tolist()
        axes = [max(1, round(share * height)) for share in size]
        cv2.ellipse(filled, place, axes, angle, 0, 360, 1.0, thickness=cv2.FILLED)
    return filled


def jaw_mask(landmarks: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """1 where a beard may grow, from a little below the nose on, 0 above it: float32 [h, w] of photo pixels."""
    down, nose = face_oval(landmarks).down, landmarks[2]
    height = float((landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)) @ down)
    x, y = np.arange(columns.start, columns.stop) + 0.5 - nose[0], np.arange(rows.start, rows.stop) + 0.5 - nose[1]
    below = (x[None, :] * down[0] + y[:, None] * down[1]) / max(height, 1e-6)
    return np.asarray(np.clip(below / JAW_FROM, 0.0, 1.0), dtype=np.float32)


def _sound(points: np.ndarray) -> bool:
    """Whether landmarks in a WORK picture can be a face's at all."""
    if points.shape != (5, 2) or not np.isfinite(points).all():
        return False
    height = np.hypot(*(points[3:].mean(axis=0) - points[:2].mean(axis=0)))
    return bool(height > WORK / 16 and points.min() >= 0 and points.max() <= WORK)


def _centres(size: int) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size]
    return np.stack([x, y], axis=-1) + 0.5


def _face_by_colour(
    image: np.ndarray, oval: Oval, points: np.ndarray, distance: np.ndarray, core: np.ndarray
) -> np.ndarray:
    """Two cuts: above the nose hair is not the face, below it a beard is."""
    height = float(np.hypot(*(points[3:].mean(axis=0) - points[:2].mean(axis=0))))
    offset = (_centres(WORK) - points[2]) / height
    beside, below = np.abs(offset @ oval.across), offset @ oval.down
    whole = distance < LIMIT
    skin = image[whole & (beside < 0.6) & (below > -0.35) & (below < 0.2)]
    brow = image[whole & (beside < 0.3) & (below > -1.2) & (below < -0.95)]
    chin = image[whole & (beside < 0.5) & (below > 0.75) & (below < 1.05)]
    around = image[(distance > AROUND) & (below < 0.6)]
    if min(len(skin), len(chin), len(around)) < FEWEST:
        return whole
    skin = _of_one_hue(skin)
    upper = colour_model(np.concatenate([skin, brow]) if len(brow) else skin)
    lower = colour_model(np.concatenate([skin, chin]))
    usual = np.percentile(likelihood(upper, skin), 10)
    other = around[likelihood(upper, around) < usual]
    if len(other) < FEWEST:
        return whole
    model = colour_model(other)
    faces = [cut(image, inside=core, outside=~whole, face=face, other=model) for face in (upper, lower)]
    return np.asarray(np.where(below < 0, faces[0], faces[1]))


def _of_one_hue(colours: np.ndarray) -> np.ndarray:
    """Colours [N, 3] without those of another hue than most: skin keeps its hue in the shadow."""
    sums = colours.sum(axis=1, keepdims=True, dtype=np.float64) + 1
    shares = colours / sums
    away = np.abs(shares - np.median(shares, axis=0)).max(axis=1)
    return np.asarray(colours[away <= max(HUE_SPREAD, 3 * float(np.median(away)))])


def _whole(found: np.ndarray, core: np.ndarray) -> np.ndarray:
    """One piece around the core, without holes or frays."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    mask = cv2.morphologyEx((found | core).astype(np.uint8), cv2.MORPH_OPEN, disc) | core.astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc)
    _, pieces = cv2.connectedComponents(mask)
    middle = pieces[core]
    mask = (pieces == np.bincount(middle[middle > 0]).argmax()).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, outlines, -1, 1, thickness=cv2.FILLED)
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), WORK / 50) > 0.5
    return np.asarray(smooth | core)


def _softened(found: np.ndarray, core: np.ndarray, *, within: np.ndarray, size: int) -> np.ndarray:
    """The soft mask [size, size]: its edge lies inside what was found, but outside of the core.

    within: how many pixels a place lies inside the oval.
    """
    inside = found.copy()
    inside[0], inside[-1], inside[:, 0], inside[:, -1] = False, False, False, False
    depth = cv2.GaussianBlur(_to_edge(inside) - _to_edge(~inside), (0, 0), 1.5)
    beyond = _to_edge(~core)
    way = np.minimum((depth + 1.2) / (EDGE * WORK), within / (EDGE_ON_SKIN * WORK))
    way = np.minimum(way, _to_border(WORK) / (EDGE_AT_BORDER * WORK))
    way = np.maximum(way, 1.5 - beyond / (EDGE * WORK))
    way = cv2.resize(way, (size, size), interpolation=cv2.INTER_LINEAR)
    way = np.clip(way, 0.0, 1.0)
    return np.asarray(way * way * (3.0 - 2.0 * way), dtype=np.float32)


def _to_border(size: int) -> np.ndarray:
    """How many pixels the places of a square lie from its border: [size, size]."""
    away = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    return np.minimum(away[:, None], away[None, :])


def _to_edge(region: np.ndarray) -> np.ndarray:
    """How many pixels each place of a region lies from its edge; 0 outside."""
    return np.asarray(cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5))


@cache
def aligned_weights(size: int) -> Tensor:
    """Loss weights [1, 1, size, size] of an aligned crop's pixels: 1 in the face and its rim, OUTSIDE beyond."""
    places = (np.arange(size) + 0.5) / size
    positions = np.stack(np.meshgrid(places, places), axis=-1)
    beyond = (face_oval(ALIGNED_LANDMARKS).distance(positions) / RIM - 1.0) / FALLS_OVER
    weights = 1.0 - (1.0 - OUTSIDE) * np.clip(beyond, 0.0, 1.0)
    return torch.from_numpy(weights).float()[None, None]
