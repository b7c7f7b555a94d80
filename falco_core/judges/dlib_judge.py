"""dlib's recogniser (King, 2017: a ResNet, 150 px chip -> 128 numbers), from the package face-recognition-models.

Only two of the package's files are used, both CC0: the recogniser and the 5-point landmarks. Its 68-point landmarks
were trained on data for non-commercial use and are not touched.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any, Literal

import numpy as np

from falco_core.errors import JudgeError, first_line
from falco_core.judges.chips import model_file, upright_chip
from falco_core.judges.similarity import Measure

PACKAGE = "face_recognition_models"
RECOGNISER_FILE = "dlib_face_recognition_resnet_model_v1.dat"
RECOGNISER_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
LANDMARKS_FILE = "shape_predictor_5_face_landmarks.dat"
LANDMARKS_SHA256 = "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888"

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

    def __init__(self) -> None:
        """Load the two files of the installed package; raises JudgeError in one line."""
        dlib = _dlib()
        recogniser = model_file(self.name, PACKAGE, RECOGNISER_FILE, RECOGNISER_SHA256)
        landmarks = model_file(self.name, PACKAGE, LANDMARKS_FILE, LANDMARKS_SHA256)
        self._recogniser = dlib.face_recognition_model_v1(str(recogniser))
        self._points = dlib.shape_predictor(str(landmarks))
        self._dlib = dlib
        self._alone = Lock()
        self._box = dlib.rectangle(*FACE_BOX)

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """A photo uint8 [H, W, 3] and F faces' landmarks [5, 2] (photo pixels) -> float32 [F, 128].

        A face with landmarks that are not finite or coincide gives NaN: nobody can say who it is not.
        """
        embeddings = np.full((len(landmarks), EMBEDDING), np.nan, dtype=np.float32)
        for row, points in enumerate(landmarks):
            chip = self.chip(pixels, points)
            if chip is not None:
                with self._alone:  # dlib keeps what it computes inside the network
                    embeddings[row] = self._recogniser.compute_face_descriptor(chip)
        return embeddings

    def chip(self, pixels: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
        """The chip uint8 [150, 150, 3] of one face, upright.

        Our landmarks make a frame of known turn and size, in which dlib's five points are found, and these make the
        chip. Compared with our landmarks alone: one person's pictures at most 0.45 apart instead of 0.63, strangers
        at least 0.73 instead of 0.68, and a face turned by 90° is embedded as if it were not turned.
        """
        frame = upright_chip(pixels, landmarks, LANDMARKS_IN_CHIP + (FRAME - CHIP) / 2, FRAME)
        if frame is None:
            return None
        chip: np.ndarray = self._dlib.get_face_chip(frame, self._points(frame, self._box), CHIP, PADDING)
        return chip


def _dlib() -> Any:
    try:
        import dlib
    except ImportError as error:
        raise JudgeError(f"judge dlib: dlib cannot be loaded ({first_line(error)}): pip install dlib-bin") from None
    return dlib
