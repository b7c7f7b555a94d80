"""Dark crops are brightened for the networks: none of them was trained on photos taken at night.

An encoder that is shown a face at a tenth of daylight draws a teal one with glowing eyes. What is released gets its
light from the photo again (`faces.blend`).
"""

import numpy as np

LEAST = 60.0
"""Mean luminance (8-bit) of the face to which darker ones are raised: the darkest skin in good light has about this."""
MOST_GAIN = 12.0
"""Beyond, a crop is noise."""
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""ITU-R BT.601."""


def well_lit(crop: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A crop uint8 [R, R, 3] whose face (mask [R, R] in 0..1) is bright enough for the networks; most are already."""
    weight = float(mask.sum())
    if weight < 1.0:
        return crop
    mean = float(((crop @ LUMINANCE) * mask).sum()) / weight
    if mean >= LEAST:
        return crop
    gain = min(LEAST / max(mean, 1.0), MOST_GAIN)
    return np.asarray(np.clip(np.rint(crop * gain), 0, 255), dtype=np.uint8)
