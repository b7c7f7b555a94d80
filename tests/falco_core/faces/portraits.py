"""A drawn head with known parts, for tests of mask and paste."""

import cv2
import numpy as np

from falco_core.faces.align import crop_quad
from falco_core.faces.mask import ALIGNED_LANDMARKS

SKIN, HAIR, WALL, CLOTH = (205, 160, 135), (60, 45, 35), (90, 120, 160), (40, 60, 50)


FRAME = (40, 50, 150)


def head(
    size: int, *, fringe: bool = False, beard: bool = False, glasses: bool = False, grain: float = 2.0
) -> np.ndarray:
    """An upright head uint8 [size, size, 3] with its landmarks at ALIGNED_LANDMARKS."""
    picture = np.full((256, 256, 3), WALL, dtype=np.uint8)
    cv2.ellipse(picture, (128, 130), (86, 112), 0, 0, 360, HAIR, cv2.FILLED, cv2.LINE_AA)
    cv2.rectangle(picture, (96, 200), (160, 255), SKIN, cv2.FILLED)
    cv2.ellipse(picture, (128, 148), (62, 88), 0, 0, 360, SKIN, cv2.FILLED, cv2.LINE_AA)
    cv2.rectangle(picture, (40, 246), (216, 255), CLOTH, cv2.FILLED)
    if fringe:
        cv2.rectangle(picture, (70, 50), (186, 88), HAIR, cv2.FILLED)
    if beard:
        cv2.ellipse(picture, (128, 190), (52, 44), 0, 0, 180, HAIR, cv2.FILLED, cv2.LINE_AA)
    for x in (96, 160):
        cv2.ellipse(picture, (x, 121), (13, 5), 0, 0, 360, (235, 235, 230), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, (x, 121), 5, (50, 40, 40), cv2.FILLED, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 106), (18, 4), 0, 0, 360, HAIR, cv2.FILLED, cv2.LINE_AA)
    cv2.line(picture, (128, 125), (128, 156), (175, 130, 110), 4, cv2.LINE_AA)
    cv2.ellipse(picture, (128, 192), (26, 7), 0, 0, 360, (150, 70, 70), cv2.FILLED, cv2.LINE_AA)
    if glasses:
        for x in (96, 160):
            cv2.ellipse(picture, (x, 124), (24, 17), 0, 0, 360, FRAME, 3, cv2.LINE_AA)
        cv2.line(picture, (119, 121), (137, 121), FRAME, 3, cv2.LINE_AA)
        for temple, ear in ((72, 46), (184, 210)):
            cv2.line(picture, (temple, 121), (ear, 117), FRAME, 3, cv2.LINE_AA)
    # As soft as a lens draws it.
    picture = cv2.GaussianBlur(picture, (0, 0), 1.2)
    noisy = picture + np.random.default_rng(0).normal(0, grain, picture.shape)
    drawn = np.clip(noisy, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA))


def aligned(size: int) -> np.ndarray:
    """The landmarks [5, 2] of `head(size)`."""
    return ALIGNED_LANDMARKS * size


def photo_of(
    picture: np.ndarray, *, at: tuple[float, float], side: float, turn: float = 0.0, shape: tuple[int, int] = (300, 320)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photo uint8 [h, w, 3] that shows a head around `at`, its landmarks [5, 2] and its crop quad [4, 2]."""
    angle, size = np.deg2rad(turn), picture.shape[0]
    matrix = side / size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array(at) - matrix @ np.array([size / 2, size / 2])
    if side < size:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.5 * size / side)
    # OpenCV counts from the centres of pixels.
    affine = np.column_stack([matrix, matrix @ np.array([0.5, 0.5]) + shift - 0.5])
    photo = cv2.warpAffine(picture, affine, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    landmarks = aligned(size) @ matrix.T + shift
    return np.asarray(photo), landmarks, crop_quad(landmarks)
