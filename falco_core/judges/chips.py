"""Upright pictures of faces at the size that a recogniser wants, from five landmarks."""

import hashlib
import importlib.util
from pathlib import Path

import cv2
import numpy as np

from falco_core.errors import JudgeError

REDUCTION = 0.7
"""A photo that the chip would show smaller than this share of its size is shrunk by areas first, against aliasing."""


def upright_chip(pixels: np.ndarray, landmarks: np.ndarray, target: np.ndarray, size: int) -> np.ndarray | None:
    """The chip uint8 [size, size, 3] of a photo uint8 [H, W, 3] that has `landmarks` [5, 2] at `target` [5, 2].

    Landmarks are photo pixels (centres at .5), the target is chip pixels (centres at whole numbers). None if the
    landmarks place no face: not finite, or in one point.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    matrix = fit_similarity(points - 0.5, target)
    if matrix is None:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < REDUCTION:
        pixels, points = _shrunk(pixels, points, scale, reach=size / scale)
        matrix = fit_similarity(points - 0.5, target)
        if matrix is None:
            return None
    return cv2.warpAffine(np.ascontiguousarray(pixels), matrix, (size, size), flags=cv2.INTER_LINEAR)


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """The turn, scale and shift [2, 3] that bring points [N, 2] nearest (squares) to others; None if there is none.

    In complex numbers: target = a source + b, with a by least squares.
    """
    if not np.isfinite(source).all():
        return None
    centred = (source - source.mean(axis=0)) @ np.array([1.0, 1.0j])
    goal = (target - target.mean(axis=0)) @ np.array([1.0, 1.0j])
    spread = float(np.abs(np.conj(centred) @ centred))
    if spread < 1.0:
        return None
    factor = (np.conj(centred) @ goal) / spread
    if abs(factor) < 1e-6:
        return None
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.hstack([turn, (target.mean(axis=0) - turn @ source.mean(axis=0))[:, None]])


def model_file(judge: str, package: str, file: str, sha256: str) -> Path:
    """A model file under `package`/models, found without importing the package; raises JudgeError in one line."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise JudgeError(f"judge {judge}: the package {package} is missing: pip install it")
    return checked_file(judge, Path(spec.origin).parent / "models" / file, sha256)


def checked_file(judge: str, path: Path, sha256: str) -> Path:
    """`path`, if its digest is right; raises JudgeError in one line."""
    if not path.is_file():
        raise JudgeError(f"judge {judge}: {path} is missing: install its package again")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise JudgeError(f"judge {judge}: {path} is damaged or another version (sha256 {found[:12]}…)")
    return path


def _shrunk(pixels: np.ndarray, landmarks: np.ndarray, scale: float, *, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The photo within `reach` of the face, `scale` times as large, and the landmarks within it."""
    centre = landmarks.mean(axis=0)
    height, width = pixels.shape[:2]
    left, top = np.clip(np.floor(centre - reach), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(centre + reach), [left + 1, top + 1], [width, height]).astype(int)
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    ratio = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA), (landmarks - [left, top]) * ratio
