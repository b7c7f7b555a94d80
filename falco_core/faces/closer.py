"""A closer look at one found face: MTCNN on its surroundings, in every turn, for landmarks and a second opinion."""

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN

from falco_core.faces.centerface import overlaps
from falco_core.faces.detect import FIRST_THRESHOLDS

PATCH = 192
"""Side of the picture that MTCNN looks at, pixels."""
REACH = 2.2
"""Side of the surroundings over the longer side of the face's box."""
TURNS = (0, 90, 180, 270)
"""Degrees, counter-clockwise, by which the surroundings are turned."""
UPRIGHT = 0.995
"""MTCNN's probability that a turned face, taken for an upright one, does not reach (0.989 of 78): no turn is needed."""
LEAST = 0.5
"""MTCNN's probability below which it does not see the face."""
AGREE = 0.3
"""Overlap of MTCNN's box with the known one from which both mean one face."""
_LIGHT = (2.0, 98.0)
"""Percentiles of brightness that become black and white, so that dark faces are seen."""


class CloserLook:
    """MTCNN, asked for one face that is known to be somewhere."""

    def __init__(self, *, device: str) -> None:
        with torch.random.fork_rng(devices=[]):
            self._mtcnn = MTCNN(
                keep_all=True,
                min_face_size=PATCH // 5,
                thresholds=[*FIRST_THRESHOLDS, LEAST],
                post_process=False,
                device=torch.device(device),
            )

    def look(self, pixels: np.ndarray, box: np.ndarray) -> tuple[float, np.ndarray | None]:
        """MTCNN's probability and landmarks [5, 2] of the face at `box` [4] in a photo uint8 [H, W, 3].

        0 and None where it sees none. The landmarks follow a turned face: its left eye comes first.
        """
        patch, scale, corner = _surroundings(pixels, box)
        known = (box - np.tile(corner, 2)) / scale
        chance, points = self._best(patch, known, TURNS[:1])
        if chance < UPRIGHT:
            chance, points = max((chance, points), self._best(patch, known, TURNS[1:]), key=lambda seen: seen[0])
        return chance, None if points is None else points * scale + corner

    def _best(self, patch: np.ndarray, known: np.ndarray, turns: tuple[int, ...]) -> tuple[float, np.ndarray | None]:
        """MTCNN's probability and landmarks, in the patch, of the face in the box `known` [4] of it."""
        turned = np.stack([np.rot90(patch, degrees // 90) for degrees in turns])
        best: tuple[float, np.ndarray | None] = (0.0, None)
        for degrees, found, chances, marks in zip(turns, *self._mtcnn.detect(turned, landmarks=True), strict=True):
            if found is None:
                continue
            for at, chance, five in zip(found, chances, marks, strict=True):
                corners = _turned_back(np.asarray(at, dtype=np.float64).reshape(2, 2), degrees)
                own = np.concatenate([corners.min(0), corners.max(0)])
                if overlaps(known, own[None])[0][0] >= AGREE and chance > best[0]:
                    best = (float(chance), _turned_back(np.asarray(five, dtype=np.float64), degrees))
        return best


def _surroundings(pixels: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Patch uint8 [PATCH, PATCH, 3] around a box, photo pixels per patch pixel, and the patch's corner in the photo."""
    height, width = pixels.shape[:2]
    side = max(4, round(float((box[2:] - box[:2]).max()) * REACH))
    left, top = (round(float(middle) - side / 2) for middle in (box[:2] + box[2:]) / 2)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    part = pixels[y0:y1, x0:x1]
    part = cv2.copyMakeBorder(part, y0 - top, top + side - y1, x0 - left, left + side - x1, cv2.BORDER_REPLICATE)
    method = cv2.INTER_AREA if side > PATCH else cv2.INTER_CUBIC
    patch = cv2.resize(part, (PATCH, PATCH), interpolation=method)
    return _lit(patch), side / PATCH, np.array([left, top], dtype=float)


def _lit(patch: np.ndarray) -> np.ndarray:
    dark, bright = np.percentile(patch, _LIGHT)
    stretched = (patch.astype(np.float32) - dark) * (255 / max(bright - dark, 8.0))
    return np.asarray(stretched.clip(0, 255).round(), dtype=np.uint8)


def _turned_back(points: np.ndarray, degrees: int) -> np.ndarray:
    """Positions [N, 2] in the turned patch as positions in the patch."""
    x, y = points[:, 0], points[:, 1]
    turned = {0: (x, y), 90: (PATCH - y, x), 180: (PATCH - x, PATCH - y), 270: (y, PATCH - x)}[degrees]
    return np.stack(turned, 1)
