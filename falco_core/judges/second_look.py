"""The second look: a composed photo is judged as the file it will be, before it may be released."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from falco_core.anonymize.losses import cosine
from falco_core.bundles.bundle import Bundle
from falco_core.faces.align import extract_crop
from falco_core.faces.detect import Detection, Detector
from falco_core.reasons import Reason
from falco_core.tensors import to_tensor


@dataclass(frozen=True)
class Originals:
    """What is known of the originals of a photo's faces: unit embeddings [F, E] of each network."""

    recogniser: np.ndarray
    heldout: np.ndarray
    farl: np.ndarray


@dataclass(frozen=True)
class Limits:
    """Cosines to the original from which a composed face counts as recognisable."""

    recogniser: float
    heldout: float


@dataclass(frozen=True)
class FaceCheck:
    """One composed face: is a face found there, and how near is it to its original (cosines)?"""

    detected: bool
    recogniser_cosine: float
    heldout_cosine: float
    farl_cosine: float


@dataclass(frozen=True)
class Verdict:
    """All faces of one photo; `reason` is None only if the photo may be released."""

    faces: tuple[FaceCheck, ...]
    reason: Reason | None
    detail: str = ""


class SecondLook:
    """Detects again and recognises again, with a recogniser that the optimization never saw."""

    def __init__(self, bundle: Bundle, detector: Detector, limits: Limits) -> None:
        """`detector` should be more suspicious than the one that found the faces in the first place."""
        self._bundle = bundle
        self._detector = detector
        self._limits = limits

    def judge(
        self,
        pixels: np.ndarray,
        *,
        quads: Sequence[np.ndarray],
        replaced: Sequence[np.ndarray],
        originals: Originals,
    ) -> Verdict:
        """Judge a composed photo.

        pixels: uint8 [H, W, 3] as decoded from the finished file; quads: one [4, 2] per face; replaced: one bool
        [H, W] per face, true where the photo was changed for it.
        """
        detections = self._detector.detect(pixels)
        faces = self._checks(pixels, quads, originals, detections, replaced)
        leftover = [face for face in detections if not any(_inside(face, region) for region in replaced)]
        if leftover:
            x, y = leftover[0].landmarks.mean(axis=0)
            return Verdict(faces, Reason.LEFTOVER_FACE, f"a face at ({x:.0f}, {y:.0f}) was not replaced")
        for face in faces:
            # Written so that a NaN similarity withholds the photo.
            if not face.heldout_cosine < self._limits.heldout:
                detail = f"held-out similarity {face.heldout_cosine:.2f}, the limit is {self._limits.heldout:.2f}"
                return Verdict(faces, Reason.STILL_RECOGNISABLE, detail)
            if not face.recogniser_cosine < self._limits.recogniser:
                detail = f"similarity {face.recogniser_cosine:.2f}, the limit is {self._limits.recogniser:.2f}"
                return Verdict(faces, Reason.STILL_RECOGNISABLE, detail)
        return Verdict(faces, None)

    def _checks(
        self,
        pixels: np.ndarray,
        quads: Sequence[np.ndarray],
        originals: Originals,
        detections: Sequence[Detection],
        replaced: Sequence[np.ndarray],
    ) -> tuple[FaceCheck, ...]:
        size = self._bundle.spec.resolution
        crops = np.stack([extract_crop(pixels, quad, size) for quad in quads])
        images = to_tensor(crops).to(self._bundle.device)
        with torch.inference_mode():
            identity = cosine(self._bundle.recogniser(images), self._reference(originals.recogniser))
            heldout = cosine(self._bundle.heldout(images), self._reference(originals.heldout))
            farl = cosine(self._bundle.farl.embed(images), self._reference(originals.farl))
        found = [any(_inside(face, region) for face in detections) for region in replaced]
        rows = zip(found, identity.tolist(), heldout.tolist(), farl.tolist(), strict=True)
        return tuple(FaceCheck(*row) for row in rows)

    def _reference(self, embeddings: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(embeddings).to(self._bundle.device)


def _inside(face: Detection, region: np.ndarray) -> bool:
    """Whether all five landmarks of `face` lie where the photo was changed."""
    height, width = region.shape
    columns = np.clip(face.landmarks[:, 0].astype(int), 0, width - 1)
    rows = np.clip(face.landmarks[:, 1].astype(int), 0, height - 1)
    return bool(region[rows, columns].all())
