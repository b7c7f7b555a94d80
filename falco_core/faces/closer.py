"""A closer look at what may be a face: YuNet and CenterFace on its surroundings, for a second opinion; then MTCNN."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN

from falco_core.faces.centerface import CenterFace, overlaps
from falco_core.faces.detect import FIRST_THRESHOLDS
from falco_core.faces.yunet import YuNet

PATCH = 192
"""Side of the picture that is looked at, pixels."""
REACH = 2.2
"""Side of the surroundings over the longer side of the face's box."""
TURNS = (0, 90, 180, 270)
"""Degrees, counter-clockwise, by which the surroundings are turned."""
BETWEEN = (45, 135, 225, 315)
"""Further turns, of faces of which YuNet is unsure."""
UNSURE = (0.2, 0.75)
"""YuNet's scores between which it is unsure; below, CenterFace is not asked."""
FAINT = 0.05
"""Score of YuNet and of CenterFace below which they do not see the face."""
LEAST = 0.5
"""MTCNN's probability below which it does not see the face."""
AGREE = 0.2
"""Overlap of a network's box with the known one from which both mean one face."""
SIDES = (96, 128, 192)
"""Of the surroundings as CenterFace looks at them, pixels: it sees a face in one that it passes over in another."""
_LIGHT = (2.0, 98.0)
"""Percentiles of brightness that become black and white, so that dark faces are seen."""


@dataclass(frozen=True)
class Patch:
    """The surroundings uint8 [PATCH, PATCH, 3] of a box: photo position = position in them * scale + corner.

    known: the box [4] in the patch. photo: [4], what of the patch's plane lies in the photo.
    """

    pixels: np.ndarray
    scale: float
    corner: np.ndarray
    known: np.ndarray
    photo: np.ndarray

    def turned(self, degrees: int) -> np.ndarray:
        """The pixels, turned counter-clockwise."""
        if degrees % 90 == 0:
            return np.ascontiguousarray(np.rot90(self.pixels, degrees // 90))
        middle = PATCH / 2 - 0.5
        matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
        return cv2.warpAffine(self.pixels, matrix, (PATCH, PATCH), borderMode=cv2.BORDER_REFLECT)

    def upright(self, box: np.ndarray, degrees: int) -> np.ndarray:
        """A box [4] of the turned pixels as one of the patch, up to what the photo's border cuts off."""
        middle = _turned_back(box.reshape(2, 2).mean(axis=0, keepdims=True), degrees)[0]
        wide, tall = (box[2:] - box[:2]) / 2
        half = {0: (wide, tall), 90: (tall, wide)}.get(degrees % 180, ((wide + tall) / 2,) * 2)
        return _within(np.concatenate([middle - half, middle + half]), self.photo)

    def means_known(self, box: np.ndarray, degrees: int) -> bool:
        """Whether a box [4] of the turned pixels is the known one."""
        return bool(overlaps(self.known, self.upright(box, degrees)[None])[0][0] >= AGREE)

    def in_photo(self, points: np.ndarray, degrees: int) -> np.ndarray:
        """Positions [N, 2] in the turned pixels as positions in the photo."""
        placed: np.ndarray = _turned_back(np.asarray(points, dtype=np.float64), degrees) * self.scale + self.corner
        return placed


@dataclass(frozen=True)
class Opinion:
    """What YuNet and CenterFace think of a closer look: scores 0..1, 0 where they see no face.

    degrees: the turn in which YuNet sees it best. box, landmarks: YuNet's [4] and [5, 2] in the photo, None where it
    sees no face.
    """

    yunet: float
    centerface: float
    degrees: int
    box: np.ndarray | None
    landmarks: np.ndarray | None


class CloserLook:
    """Networks that are asked for one face which may be somewhere, whatever its turn."""

    def __init__(self, *, device: str, centerface: CenterFace, yunet: YuNet) -> None:
        """`device` is MTCNN's."""
        self._centerface, self._yunet = centerface, yunet
        with torch.random.fork_rng(devices=[]):
            self._mtcnn = MTCNN(
                keep_all=True,
                min_face_size=PATCH // 5,
                thresholds=[*FIRST_THRESHOLDS, LEAST],
                post_process=False,
                device=torch.device(device),
            )

    def opinion(self, patch: Patch, *, between: bool) -> Opinion:
        """YuNet's opinion in every turn, and CenterFace's in the best, in several sizes.

        `between`: where YuNet is unsure, the turns between those of 90 degrees are tried, too.
        """
        best = self._yunets(patch, TURNS, Opinion(0.0, 0.0, 0, None, None))
        if between and UNSURE[0] <= best.yunet < UNSURE[1]:
            best = self._yunets(patch, BETWEEN, best)
        return replace(best, centerface=self._centerfaces(patch, best.degrees)) if best.yunet >= UNSURE[0] else best

    def _centerfaces(self, patch: Patch, degrees: int) -> float:
        """CenterFace's best score of the face in one turn."""
        turned, best = patch.turned(degrees), 0.0
        for side in SIDES:
            picture = turned if side == PATCH else cv2.resize(turned, (side, side), interpolation=cv2.INTER_AREA)
            seen = self._centerface.look(picture, threshold=FAINT)
            scores = zip(seen.boxes * (PATCH / side), seen.scores.tolist(), strict=True)
            best = max([best, *(score for box, score in scores if patch.means_known(box, degrees))])
        return best

    def _yunets(self, patch: Patch, turns: tuple[int, ...], best: Opinion) -> Opinion:
        for degrees in turns:
            seen = self._yunet.look(patch.turned(degrees), threshold=FAINT)
            for box, score, marks in zip(seen.boxes, seen.scores, seen.landmarks, strict=True):
                if score > best.yunet and patch.means_known(box, degrees):
                    place = patch.upright(box, degrees) * patch.scale + np.tile(patch.corner, 2)
                    best = Opinion(float(score), 0.0, degrees, place, patch.in_photo(marks, degrees))
        return best

    def landmarks(self, patch: Patch, first: int) -> tuple[float, np.ndarray | None]:
        """MTCNN's probability and landmarks [5, 2] of the face in the photo; 0 and None where it sees none.

        It looks in the turn `first` and, where it sees nothing, in the others. The landmarks follow a turned face: its
        left eye comes first.
        """
        chance, points = self._best(patch, (first,))
        return (chance, points) if chance else self._best(patch, tuple(turn for turn in TURNS if turn != first))

    def _best(self, patch: Patch, turns: tuple[int, ...]) -> tuple[float, np.ndarray | None]:
        best: tuple[float, np.ndarray | None] = (0.0, None)
        turned = np.stack([patch.turned(degrees) for degrees in turns])
        for degrees, found, chances, marks in zip(turns, *self._mtcnn.detect(turned, landmarks=True), strict=True):
            if found is None:
                continue
            for at, chance, five in zip(found, chances, marks, strict=True):
                if chance > best[0] and patch.means_known(np.asarray(at, dtype=np.float64), degrees):
                    best = (float(chance), patch.in_photo(five, degrees))
        return best


def patch_around(pixels: np.ndarray, box: np.ndarray, *, mirrored: bool = True) -> Patch:
    """The surroundings of a box [4] in a photo uint8 [H, W, 3]; beyond the photo mirrored, or its last pixels again."""
    height, width = pixels.shape[:2]
    side = max(4, round(float((box[2:] - box[:2]).max()) * REACH))
    left, top = (round(float(middle) - side / 2) for middle in (box[:2] + box[2:]) / 2)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    around = (y0 - top, top + side - y1, x0 - left, left + side - x1)
    border = cv2.BORDER_REFLECT if mirrored else cv2.BORDER_REPLICATE
    part = cv2.copyMakeBorder(pixels[y0:y1, x0:x1], *around, border)
    method = cv2.INTER_AREA if side > PATCH else cv2.INTER_CUBIC
    scale, corner = side / PATCH, np.array([left, top], dtype=float)
    photo = (np.array([0, 0, width, height]) - np.tile(corner, 2)) / scale
    known = _within((box - np.tile(corner, 2)) / scale, photo)
    return Patch(_lit(cv2.resize(part, (PATCH, PATCH), interpolation=method)), scale, corner, known, photo)


def _within(box: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """What of a box [4] lies inside another."""
    inside: np.ndarray = np.clip(box, np.tile(outer[:2], 2), np.tile(outer[2:], 2))
    return inside


def _lit(patch: np.ndarray) -> np.ndarray:
    dark, bright = np.percentile(patch, _LIGHT)
    stretched = (patch.astype(np.float32) - dark) * (255 / max(bright - dark, 8.0))
    return np.asarray(stretched.clip(0, 255).round(), dtype=np.uint8)


def _turned_back(points: np.ndarray, degrees: int) -> np.ndarray:
    """Positions [N, 2] in the turned patch as positions in the patch."""
    angle = np.deg2rad(degrees)
    across, down = (points - PATCH / 2).T
    x, y = np.cos(angle) * across - np.sin(angle) * down, np.sin(angle) * across + np.cos(angle) * down
    return np.stack([x, y], 1) + PATCH / 2
