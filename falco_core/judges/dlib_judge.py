"""dlib's recogniser (King, 2017: a ResNet, 150 px chip -> 128 numbers), from the package face-recognition-models.

Only two of the package's files are used, both CC0: the recogniser and the 5-point landmarks. Its 68-point landmarks
were trained on data for non-commercial use and are not touched.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from falco_core.errors import JudgeError, first_line
from falco_core.judges.similarity import Measure

PACKAGE = "face_recognition_models"
RECOGNISER_FILE = "dlib_face_recognition_resnet_model_v1.dat"
LANDMARKS_FILE = "shape_predictor_5_face_landmarks.dat"

DISTANCE = 0.6
"""dlib's own: Euclidean distance below which two faces are one person (99.38 % on LFW, says its author)."""
NEAR_DISTANCE = 0.48
"""Distance that one in a million pairs of strangers comes down to, by extrapolation: docs/judges.md."""
EMBEDDING = 128

CHIP = 150
"""Pixels; what the recogniser was trained on."""
PADDING = 0.25
"""Of dlib's chip around the face, as in its examples."""
FRAME = 300
"""Pixels of the upright picture in which dlib looks for its own five points: the chip and as much around it."""
LANDMARKS_IN_CHIP = np.array([[46.1, 45.7], [102.1, 45.7], [74.1, 77.1], [48.1, 105.0], [100.1, 105.0]])
"""Where eyes, nose and mouth corners (ours) lie in dlib's chip: medians over 11 real faces, made symmetric."""
FACE_BOX = (78, 79, 220, 222)
"""Left, top, right, bottom in the frame: where dlib's own detector would put its box."""
REDUCTION = 0.7
"""A face that the frame shows smaller than this share of its size is shrunk by areas first, against aliasing."""


class DlibJudge:
    """Similarity is 1 - distance: 0.4 is dlib's distance of 0.6."""

    name = "dlib"
    protocol = f"dlib_{DISTANCE}"
    threshold = 1.0 - DISTANCE
    near = 1.0 - NEAR_DISTANCE
    knows: Literal["real", "rendered"] = "real"
    measure: Measure = "distance"
    norms = (1.0, 1.9)
    """Measured: real faces 1.36 to 1.57 (blurred ones are longest), rendered ones 1.22 to 1.41."""

    def __init__(self, models: Path | None = None) -> None:
        """Load the two files of `models` (default: the installed package's); raises JudgeError in one line."""
        folder = models or model_folder()
        dlib = _dlib()
        recogniser, landmarks = folder / RECOGNISER_FILE, folder / LANDMARKS_FILE
        for path in (recogniser, landmarks):
            if not path.is_file():
                raise JudgeError(f"dlib judge: {path} is missing: install face-recognition-models again")
        try:
            self._recogniser = dlib.face_recognition_model_v1(str(recogniser))
            self._points = dlib.shape_predictor(str(landmarks))
        except RuntimeError as error:
            raise JudgeError(f"dlib judge: the files in {folder} are damaged: {first_line(error)}") from None
        self._dlib = dlib
        self._box = dlib.rectangle(*FACE_BOX)

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """A photo uint8 [H, W, 3] and F faces' landmarks [5, 2] (photo pixels) -> float32 [F, 128].

        A face with landmarks that are not finite or coincide gives NaN: nobody can say who it is not.
        """
        embeddings = np.full((len(landmarks), EMBEDDING), np.nan, dtype=np.float32)
        for row, points in enumerate(landmarks):
            chip = self.chip(pixels, points)
            if chip is not None:
                embeddings[row] = self._recogniser.compute_face_descriptor(chip)
        return embeddings

    def chip(self, pixels: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
        """The chip uint8 [150, 150, 3] of one face, upright.

        Our landmarks make a frame of known turn and size, in which dlib's five points are found, and these make the
        chip. Compared with our landmarks alone: one person's pictures at most 0.45 apart instead of 0.63, strangers
        at least 0.73 instead of 0.68, and a face turned by 90° is embedded as if it were not turned.
        """
        frame = _upright(pixels, np.asarray(landmarks, dtype=np.float64))
        if frame is None:
            return None
        chip: np.ndarray = self._dlib.get_face_chip(frame, self._points(frame, self._box), CHIP, PADDING)
        return chip


def model_folder() -> Path:
    """Where face-recognition-models has its files, found without importing it (that needs setuptools < 82)."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise JudgeError("dlib judge: the package face-recognition-models is missing: pip install it")
    return Path(spec.origin).parent / "models"


def _dlib() -> Any:
    try:
        import dlib
    except ImportError as error:
        raise JudgeError(f"dlib judge: dlib cannot be loaded ({first_line(error)}): pip install dlib-bin") from None
    return dlib


def _upright(pixels: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
    """The frame uint8 [300, 300, 3] with the landmarks where dlib's chip has them; None if they place nothing."""
    target = LANDMARKS_IN_CHIP + (FRAME - CHIP) / 2
    # Our pixel centres lie at .5, OpenCV's at whole numbers.
    matrix = fit_similarity(landmarks - 0.5, target)
    if matrix is None:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < REDUCTION:
        pixels, landmarks = _shrunk(pixels, landmarks, scale)
        matrix = fit_similarity(landmarks - 0.5, target)
        if matrix is None:
            return None
    return cv2.warpAffine(np.ascontiguousarray(pixels), matrix, (FRAME, FRAME), flags=cv2.INTER_LINEAR)


def _shrunk(pixels: np.ndarray, landmarks: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """What the frame can see of the photo (and a margin), `scale` times as large, and the landmarks within it."""
    reach = FRAME / scale
    centre = landmarks.mean(axis=0)
    height, width = pixels.shape[:2]
    left, top = (np.clip(np.floor(centre - reach), 0, [width - 1, height - 1])).astype(int)
    right, bottom = (np.clip(np.ceil(centre + reach), [left + 1, top + 1], [width, height])).astype(int)
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    ratio = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA), (landmarks - [left, top]) * ratio


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """The turn, scale and shift [2, 3] that bring points [N, 2] nearest (squares) to others; None if there is none.

    In complex numbers: target = a source + b, with a by least squares.
    """
    centred = (source - source.mean(axis=0)) @ np.array([1.0, 1.0j])
    goal = (target - target.mean(axis=0)) @ np.array([1.0, 1.0j])
    spread = float(np.abs(np.conj(centred) @ centred)) if np.isfinite(source).all() else 0.0
    if spread < 1.0:
        return None
    factor = (np.conj(centred) @ goal) / spread
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    if abs(factor) < 1e-6:
        return None
    return np.hstack([turn, (target.mean(axis=0) - turn @ source.mean(axis=0))[:, None]])
