"""From a face's crop to its place in latent and feature space."""

from dataclasses import dataclass

import numpy as np
import torch

from falco_core.anonymize.losses import cosine
from falco_core.bundles.bundle import Bundle
from falco_core.faces.exposure import well_lit
from falco_core.networks.shapes import in_shape
from falco_core.photos.tensors import to_tensor


@dataclass(frozen=True)
class Inverted:
    """A face: codes [L, D] and its embedding [E] per pairing space; recogniser cosine of the reconstruction to it."""

    arrays: dict[str, np.ndarray]
    fidelity: float


def invert(bundle: Bundle, crops: np.ndarray, masks: np.ndarray) -> list[Inverted]:
    """Crops uint8 [N, R, R, 3], and what of them is face [N, R, R] in 0..1 -> their inversions."""
    crops = np.stack([well_lit(crop, mask) for crop, mask in zip(crops, masks, strict=True)])
    batches = in_shape(
        len(crops),
        bundle.generator.config.resolution,
        bundle.device,
        lambda rows, count: _batch(bundle, crops[rows.cpu().numpy()])[:count],
    )
    return [face for batch in batches for face in batch]


def _batch(bundle: Bundle, crops: np.ndarray) -> list[Inverted]:
    images = to_tensor(crops).to(bundle.device)
    with torch.inference_mode():
        codes = bundle.encoder(images)
        features = bundle.features(images)
        fidelity = cosine(bundle.recogniser(bundle.generator.synthesize(codes)), features["recogniser"])
    arrays = {name: array.cpu().numpy() for name, array in {"codes": codes, **features}.items()}
    return [
        Inverted({name: array[row] for name, array in arrays.items()}, float(fidelity[row]))
        for row in range(len(crops))
    ]
