"""Face or not, pixel by pixel: a graph cut between colours of this face and colours around it.

GrabCut (Rother et al., SIGGRAPH 2004) with colour models that are learned here and frozen, for two reasons: OpenCV's
own start draws random numbers, and it takes skin of ears and neck for background and then cuts the face apart.
"""

import cv2
import numpy as np

COMPONENTS = 5
"""Gaussians of a colour model: as many as OpenCV's GrabCut expects."""
ROUNDS = 6
"""Of k-means: colours settle within a few."""
LEAST_VARIANCE = 20.0
"""Added to each Gaussian's variances (8-bit values): compression and grain, and flat or grey pictures."""
BENEFIT = 1.5
"""Of the doubt: by so much log density a pixel within the oval is face sooner than what is around it."""
FEWEST = 12
"""Pixels that a colour model needs."""


def colour_model(samples: np.ndarray) -> np.ndarray:
    """The mixture of Gaussians of colours [N, 3], in OpenCV's layout: float64 [1, 65]."""
    samples = samples.astype(np.float64)
    order = np.argsort(samples.sum(axis=1), kind="stable")
    centres = samples[order[((np.arange(COMPONENTS) + 0.5) * len(samples) / COMPONENTS).astype(int)]]
    for _ in range(ROUNDS):
        nearest = np.argmin(((samples[:, None] - centres) ** 2).sum(axis=2), axis=1)
        groups = [samples[nearest == index] for index in range(COMPONENTS)]
        centres = np.stack([g.mean(axis=0) if len(g) else c for g, c in zip(groups, centres, strict=True)])
    shares = np.array([len(group) / len(samples) for group in groups])
    spreads = [_covariance(group) for group in groups]
    return np.concatenate([shares, centres.ravel(), np.ravel(spreads)])[None]


def likelihood(model: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Log density of colours [N, 3] under a model: [N]."""
    shares, centres = model[0, :COMPONENTS], model[0, COMPONENTS : 4 * COMPONENTS].reshape(-1, 3)
    spreads = model[0, 4 * COMPONENTS :].reshape(-1, 3, 3)
    offsets = colours[:, None].astype(np.float64) - centres
    distances = np.einsum("nki,kij,nkj->nk", offsets, np.linalg.inv(spreads), offsets)
    densities = shares * np.exp(-0.5 * distances) / np.sqrt(np.linalg.det(spreads))
    logs: np.ndarray = np.log(densities.sum(axis=1) + 1e-30)
    return logs


def cut(
    image: np.ndarray, *, inside: np.ndarray, outside: np.ndarray, face: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """Which pixels of uint8 [h, w, 3] belong to the face: bool [h, w].

    inside, outside: bool [h, w], pixels that are settled; face, other: colour models.
    """
    labels = np.full(image.shape[:2], cv2.GC_PR_BGD, dtype=np.uint8)
    labels[outside] = cv2.GC_BGD
    labels[inside] = cv2.GC_FGD
    sooner = face.copy()
    sooner[:, :COMPONENTS] *= np.exp(BENEFIT)
    cv2.grabCut(image, labels, (0, 0, 0, 0), other.copy(), sooner, 1, cv2.GC_EVAL_FREEZE_MODEL)
    found: np.ndarray = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return found


def _covariance(group: np.ndarray) -> np.ndarray:
    spread = np.cov(group.T, bias=True) if len(group) > 1 else np.zeros((3, 3))
    return np.asarray(spread + LEAST_VARIANCE * np.eye(3))
