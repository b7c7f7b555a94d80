"""Glasses that the new face does not wear: what of their frame lies outside of the mask is painted over.

A frame crosses the mask's edge at the temple, and on a turned face it stands out over the far cheek. Where the old face
wears one and the new face does not, its ends would hang in the air. They are thin lines that hang together with the
bridge over the nose; everything else around the face stays.
"""

import cv2
import numpy as np

from falco_core.faces.light import disc, gauss
from falco_core.faces.mask import face_oval

SIZE = 256
"""Pixels of the crop in which frames are looked for: a thin one is two wide."""
UNIT = 64
"""Pixels of the eye-to-mouth distance in the picture of the eyes in which they are recognised."""
TOE = 8.0
"""Added to 8-bit values before the logarithm: contrast in black is noise."""
THICK = 9
"""Pixels of SIZE that a frame is thinner than; what is as thick is an ear, a brow or a lock of hair."""
BRIDGE, RIM = 0.235, 0.2
"""Contrast (log) of a line across the nose and one under the eyes that are a frame's. Measured on 59 faces: without
glasses at most 0.23 over the nose, with glasses at least 0.29 and 0.23 (docs/composing.md)."""
LINE = 0.13
"""Contrast of a line that may be a part of the frame."""
ALIKE = 0.65
"""Log difference of colour beyond which a line is no part of the frame: it lies in another light at the temple."""
ABOVE, BELOW, BESIDE = 0.45, 0.55, 1.9
"""Around the middle of the eyes, in eye-to-mouth distances: where a frame can be."""
LENS_BESIDE, LENS_LEAST, LENS_BELOW = 0.7, 0.55, 0.42
"""Half axes of what a lens takes around its eye: in distances of the eyes, but at least, and in eye-to-mouth
distances."""
ARM_FROM, ARM_TO = 0.3, 0.35
"""How far above and below the eyes an arm lies, in eye-to-mouth distances."""
SURE, HALF = 0.26, 0.5
"""Contrast (log) of an arm that is surely one, and the share of it from which on a column is part of the arm."""
BENT = 0.2
"""What a path along an arm loses for each row that it rises or falls."""
ARM_LEAST, ARM_WHOLE, ARM_STRAIGHT = 0.15, 0.75, 1.6
"""Of an arm: length in eye-to-mouth distances, share of it that is seen, deviation from a bow in pixels of SIZE."""
TIP_RESTS = 4
"""Columns without a line after which an arm has ended."""
ARM_REACH = 4
"""Pixels of SIZE to both sides of an arm's middle that may be its own."""


def wears_frame(crop: np.ndarray, landmarks: np.ndarray) -> bool:
    """Whether an aligned face uint8 [S, S, 3] wears glasses with a frame; landmarks: [5, 2], pixels of the crop."""
    oval = face_oval(landmarks)
    eyes = landmarks[:2].mean(axis=0)
    height = float((landmarks[3:].mean(axis=0) - eyes) @ oval.down)
    x, y = np.meshgrid(np.arange(-UNIT, UNIT) / UNIT, np.arange(-0.5 * UNIT, 0.7 * UNIT) / UNIT)
    places = (eyes + height * (x[..., None] * oval.across + y[..., None] * oval.down) - 0.5).astype(np.float32)
    seen = cv2.remap(crop, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lines = _lines(seen, np.ones((11, 1), dtype=np.uint8))

    def strongest(middle: float, wide: float, top: float, bottom: float) -> np.ndarray:
        """Of each column of a part of the picture."""
        rows = slice(round((top + 0.5) * UNIT), round((bottom + 0.5) * UNIT))
        return np.asarray(lines[rows, (np.abs(x[0] - middle) <= wide)].max(axis=0))

    across = ((landmarks[:3] - eyes) @ oval.across) / height
    bridge = float(np.median(strongest(0.4 * across[2], 0.12, -0.3, 0.15)))
    rims = [float(np.percentile(strongest(place, 0.22, 0.17, 0.5), 35)) for place in across[:2]]
    return bridge >= BRIDGE and max(rims) >= RIM


def frame_of(crop: np.ndarray, landmarks: np.ndarray, mask: np.ndarray, *, around: int = 3) -> np.ndarray:
    """Where the frame of an aligned face is, and `around` pixels: float32 [SIZE, SIZE], 1 there and 0 elsewhere.

    crop: uint8 [SIZE, SIZE, 3]; landmarks: [5, 2], its pixels; mask: [SIZE, SIZE] in 0..1, inside of which brows and
    lids may be taken for a part of it. Outside of it: the rims that hang together with the bridge over the nose, and
    arms, which are straight lines of the bridge's colour. What is not surely one stays: a lost ear is seen sooner than
    an old arm.
    """
    oval, eyes = face_oval(landmarks), landmarks[:2].mean(axis=0)
    height = float((landmarks[3:].mean(axis=0) - eyes) @ oval.down)
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    offset = (np.stack([x, y], axis=-1) - eyes) / height
    across, below = offset @ oval.across, offset @ oval.down
    zone = (below > -ABOVE) & (below < BELOW) & (np.abs(across) < BESIDE)
    nose = 0.4 * float((landmarks[2] - eyes) @ oval.across) / height
    bridge = (np.abs(across - nose) < 0.12) & (below > -0.3) & (below < 0.15)
    lying = _lines(crop, np.ones((THICK, 1), dtype=np.uint8))
    alike = _coloured_like(crop, bridge, lying)
    within = mask >= 0.98
    reach = max(LENS_BESIDE * float(np.hypot(*(landmarks[1] - landmarks[0]))) / height, LENS_LEAST)
    lenses = np.zeros((SIZE, SIZE), dtype=bool)
    for eye in (landmarks[:2] - eyes) / height:
        lenses |= ((across - eye @ oval.across) / reach) ** 4 + ((below - eye @ oval.down) / LENS_BELOW) ** 4 < 1
    thin = (_lines(crop, disc(THICK / 2)) > LINE) & zone & (within | (alike & lenses))
    _, pieces = cv2.connectedComponents(cv2.morphologyEx(thin.astype(np.uint8), cv2.MORPH_CLOSE, disc(1)))
    held = np.unique(pieces[bridge])
    frame = np.isin(pieces, held[held > 0])
    if not frame.any():
        return np.zeros((SIZE, SIZE), dtype=np.float32)
    level = (below > -ARM_FROM) & (below < ARM_TO) & (np.abs(across) < BESIDE)
    score = np.where(level, np.where(alike, np.minimum(lying / SURE, 1.0), 0.0) - HALF, -1.0)
    beside = np.flatnonzero((within & (np.abs(below) < 0.1)).any(axis=0))
    if len(beside):
        first, last = int(beside[0]), int(beside[-1])
        frame[:, : first + 1] |= _arm(score[:, first::-1], lying[:, first::-1], height)[:, ::-1]
        frame[:, last:] |= _arm(score[:, last:], lying[:, last:], height)
    return np.asarray(cv2.dilate(frame.astype(np.float32), disc(around)))


def _arm(score: np.ndarray, lines: np.ndarray, height: float) -> np.ndarray:
    """The arm that goes away from a face, which lies before the first column: bool [h, w], nothing if none is sure.

    score: [h, w], above 0 where an arm may be; lines: [h, w], contrast; height: pixels from eyes to mouth.
    """
    found = np.zeros(score.shape, dtype=bool)
    rows = _best_path(score)
    columns = np.arange(len(rows))
    seen = score[rows, columns] > 0
    if not seen.any():
        return found
    first, last = np.flatnonzero(seen)[[0, -1]]
    columns, rows, seen = columns[first : last + 1], rows[first : last + 1], seen[first : last + 1]
    if len(rows) < ARM_LEAST * height or seen.mean() < ARM_WHOLE:
        return found
    bow = np.polyval(np.polyfit(columns, rows, 2), columns)
    if float(np.sqrt(((rows - bow) ** 2).mean())) > ARM_STRAIGHT:
        return found
    rows, columns = _to_the_tip(rows, columns, lines)
    for column, row in zip(columns, rows, strict=True):
        part = slice(max(row - ARM_REACH, 0), row + ARM_REACH + 1)
        found[part, column] = lines[part, column] > HALF * lines[row, column]
        found[row, column] = True
    return found


def _to_the_tip(rows: np.ndarray, columns: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The path of an arm, rows and columns, with what goes straight on from it in another light."""
    last = slice(-min(len(rows), 16), None)
    slope, start = np.polyfit(columns[last], rows[last], 1)
    tip, rests = int(columns[-1]), 0
    for column in range(tip + 1, lines.shape[1]):
        row = round(float(slope * column + start))
        near = lines[max(row - 2, 0) : row + 3, column] if 0 <= row < len(lines) else lines[:0, column]
        rests = 0 if near.size and near.max() > SURE / 2 else rests + 1
        if rests > TIP_RESTS:
            break
        tip = column if rests == 0 else tip
    beyond = np.arange(int(columns[-1]) + 1, tip + 1)
    on = np.rint(slope * beyond + start).astype(int)
    return np.concatenate([rows, on]), np.concatenate([columns, beyond])


def _best_path(score: np.ndarray) -> np.ndarray:
    """Rows of the path through the columns of a score [h, w], from the first on, whose sum is highest: int [<= w]."""
    total, came = score[:, 0].copy(), np.zeros(score.shape, dtype=int)
    best, end = float(total.max()), (int(total.argmax()), 0)
    for column in range(1, score.shape[1]):
        padded = np.pad(total, 1, constant_values=-np.inf)
        ways = np.stack([padded[:-2] - BENT, total, padded[2:] - BENT])
        came[:, column] = ways.argmax(axis=0) - 1
        total = ways.max(axis=0) + score[:, column]
        if total.max() > best:
            best, end = float(total.max()), (int(total.argmax()), column)
    row, path = end[0], []
    for column in range(end[1], -1, -1):
        path.append(row)
        row = int(np.clip(row + came[row, column], 0, len(score) - 1))
    return np.array(path[::-1])


def _coloured_like(crop: np.ndarray, bridge: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Which pixels of a crop have about the colour of the line that crosses the bridge: bool [S, S]."""
    logs = np.log(gauss(crop.astype(np.float32), 0.7) + TOE)
    strong = bridge & (lines >= np.percentile(lines[bridge], 90)) if bridge.any() else bridge
    if not strong.any():
        return np.zeros(bridge.shape, dtype=bool)
    return np.asarray(((logs - np.median(logs[strong], axis=0)) ** 2).sum(axis=2) < ALIKE**2)


def painted_over(pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
    """A part of a photo uint8 [h, w, 3] whose pixels under `where`, bool [h, w], go on from what is around them."""
    painted: np.ndarray = cv2.inpaint(pixels, where.astype(np.uint8), 3.0, cv2.INPAINT_TELEA)
    return painted


def _lines(crop: np.ndarray, element: np.ndarray) -> np.ndarray:
    """How much darker or brighter than what is around it each pixel of a thin line is, as a logarithm: [h, w]."""
    logs = np.log(gauss(crop.astype(np.float32), 0.7) + TOE)
    dark = cv2.morphologyEx(logs, cv2.MORPH_CLOSE, element) - logs
    bright = logs - cv2.morphologyEx(logs, cv2.MORPH_OPEN, element)
    return np.asarray(np.maximum(dark, bright).max(axis=2))
