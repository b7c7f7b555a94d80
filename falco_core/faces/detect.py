"""Finding faces: MTCNN (Zhang et al., 2016) through facenet-pytorch, which carries the weights."""

from dataclasses import dataclass

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

SMALLEST = 20
"""Pixels (of the scaled photo): MTCNN's own smallest face."""
FIRST_THRESHOLDS = (0.6, 0.7)
"""Of MTCNN's first two networks, as published."""


@dataclass(frozen=True)
class Detection:
    """A found face: box [4] (x0, y0, x1, y1), landmarks [5, 2] (eyes, nose, mouth corners), photo pixels."""

    box: np.ndarray
    landmarks: np.ndarray
    score: float


class Detector:
    """Finds the faces of one photo at a time, in a scaled-down copy if the photo is large."""

    def __init__(
        self, *, device: str, threshold: float = 0.9, max_side: int = 1600, min_face_size: int = 2 * SMALLEST
    ) -> None:
        """Set up MTCNN.

        `threshold` is the probability of the last network. Photos are scaled down to `max_side`, but never so far
        that a face of `min_face_size` pixels would become too small to be seen.
        """
        self._max_side = max_side
        self._least_scale = SMALLEST / min_face_size
        self._threshold = threshold
        with torch.random.fork_rng(devices=[]):
            self._mtcnn = MTCNN(
                keep_all=True,
                min_face_size=SMALLEST,
                thresholds=[*FIRST_THRESHOLDS, min(threshold, 0.7)],
                post_process=False,
                device=torch.device(device),
            )

    def detect(self, pixels: np.ndarray) -> list[Detection]:
        """Faces of a photo uint8 [H, W, 3], from left to right."""
        scale = min(1.0, max(self._max_side / max(pixels.shape[:2]), self._least_scale))
        image = Image.fromarray(pixels)
        if scale < 1.0:
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(size, Image.Resampling.BOX, reducing_gap=3.0)
        if min(image.size) < SMALLEST:
            return []
        boxes, scores, landmarks = self._found(image)
        ratio = np.array([pixels.shape[1] / image.width, pixels.shape[0] / image.height])
        faces = [
            Detection(box[:4] * np.tile(ratio, 2), points * ratio, float(score))
            for box, score, points in zip(boxes, scores, landmarks, strict=True)
            if score >= self._threshold
        ]
        return sorted(faces, key=lambda face: tuple(face.box))

    def _found(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        boxes, scores, landmarks = self._mtcnn.detect(image, landmarks=True)
        if boxes is None:
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        return (
            np.asarray(boxes, dtype=np.float64),
            np.asarray(scores, dtype=np.float64),
            np.asarray(landmarks, dtype=np.float64),
        )
