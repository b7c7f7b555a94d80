"""A judge whose answers are known, and people who are no one: for tests of what is made of a judge's answers."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from falco_core.judges.similarity import Measure

LANDMARKS = np.array([[22.0, 21.0], [42.0, 21.0], [32.0, 32.0], [24.0, 43.0], [40.0, 43.0]])


class PatchJudge:
    """Sees 8 x 8 grey means of the 64 px around a face's landmarks, of unit length."""

    name = "patch"
    protocol = "patch_0.90"
    threshold = 0.9
    near = 0.99
    knows: Literal["real", "rendered"] = "rendered"
    measure: Measure = "cosine"
    norms = (0.999, 1.001)

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        rows = []
        for points in landmarks:
            left, top = (points.mean(axis=0) - 32).round().clip(0).astype(int)
            patch = pixels[top : top + 64, left : left + 64].mean(axis=2)
            cells = patch.reshape(8, patch.shape[0] // 8, 8, -1).mean(axis=(1, 3)).ravel()
            rows.append(cells - cells.mean())
        found = np.array(rows, dtype=np.float32).reshape(len(landmarks), 64)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def two_faces(seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """A photo of two different patterns, and where they are."""
    cells = np.random.default_rng(seed).integers(0, 256, (8, 16, 3)).astype(np.uint8)
    pixels = cells.repeat(8, axis=0).repeat(8, axis=1)
    return pixels, [LANDMARKS, LANDMARKS + np.array([64.0, 0.0])]


def unit(*rows: Sequence[float]) -> np.ndarray:
    """Rows at unit length, float32."""
    array = np.array(rows, dtype=np.float64)
    return np.asarray(array / np.linalg.norm(array, axis=1, keepdims=True), dtype=np.float32)


class StrokeJudge(PatchJudge):
    """Sees the strokes (not the shades) between brows and chin, in 32 x 32 pixels whatever the size of the face.

    Of unit length even where there are no strokes.
    """

    name = "rendered_heldout"
    protocol = "strokes_0.90"
    threshold = 0.9

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        rows = []
        for points in landmarks:
            half = 1.3 * float(np.hypot(*(points[3:].mean(axis=0) - points[:2].mean(axis=0))))
            scale, corner = 32 / (2 * half), points.mean(axis=0) - half
            place = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
            patch = cv2.warpAffine(pixels, place, (32, 32), flags=cv2.INTER_AREA).mean(axis=2).astype(np.float32)
            strokes = cv2.GaussianBlur(patch, (0, 0), 0.8) - cv2.GaussianBlur(patch, (0, 0), 3.0)
            rows.append(np.append(strokes.ravel(), 20.0))
        found = np.array(rows, dtype=np.float32).reshape(len(landmarks), 32 * 32 + 1)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)
