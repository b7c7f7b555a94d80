"""Blind sheets for benchmarks/compose.py: the same new face pasted as version 0.1 did and as compose does."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.compose_faces import Face
from falco_core.faces.align import extract_crop
from falco_core.faces.mask import face_oval
from falco_core.photos.codec import png_of

TILE = 400
"""Most pixels of a tile's side; smaller faces are shown at 100 %."""
AROUND = 1.2
"""Side of a tile over that of the crop."""
ROWS = 4
"""Pairs of a sheet."""
FEATHER, MOST_SHIFT = 0.08, 48.0
"""Version 0.1's own: width of the blended border over the crop's side, and most that the mean colour was shifted by."""


def first_version(face: Face, crop: np.ndarray) -> np.ndarray:
    """The photo with the face pasted as by version 0.1: a feathered oval, its mean colour shifted to the old one's."""
    rows, columns = face.pixels.shape[:2]
    axes = np.linalg.inv(np.stack([face.quad[3] - face.quad[0], face.quad[1] - face.quad[0]], axis=1))
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    positions = np.stack([x, y], axis=-1)
    oval = face_oval(face.landmarks)
    beyond = (oval.distance(positions) - 1) * min(oval.half_width, oval.up_size, oval.down_size)
    way = np.clip(beyond / (FEATHER * face.side), 0, 1)
    mask = 1 - way * way * (3 - 2 * way)
    size = min(len(crop), max(1, round(face.side)))
    small = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) if size < len(crop) else crop
    at = (((positions - face.quad[0]) @ axes.T) * size - 0.5).astype(np.float32)
    new = cv2.remap(small, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    old, inside = face.pixels.astype(np.float32), mask >= 1
    new += np.clip((old[inside] - new[inside]).mean(axis=0), -MOST_SHIFT, MOST_SHIFT)
    blended = old + mask[..., None] * (new - old)
    return np.asarray(np.clip(np.rint(blended), 0, 255).astype(np.uint8))


def write_blind(faces: Sequence[Face], crops: Sequence[np.ndarray], folder: Path, *, seed: int) -> None:
    """Write sheets of unlabelled pairs, sides and order drawn by `seed`, and key.json, which says where ours is."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(faces))
    left = draw.random(len(faces)) < 0.5
    key, rows = [], []
    for number, index in enumerate(order, start=1):
        face, ours_left = faces[index], bool(left[index])
        pair = [face.pasted(crops[index]).pixels, first_version(face, crops[index])]
        rows.append(_row(number, [_tile(face, each) for each in (pair if ours_left else pair[::-1])]))
        key.append({"pair": number, "face": face.photo, "ours": "left" if ours_left else "right"})
    for start in range(0, len(rows), ROWS):
        page = folder / f"pairs_{start // ROWS + 1:02d}.png"
        page.write_bytes(png_of(np.concatenate(rows[start : start + ROWS])))
    (folder / "key.json").write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")


def _tile(face: Face, pixels: np.ndarray) -> np.ndarray:
    """The face and what is around it, upright, on a square of TILE."""
    middle, side = face.quad.mean(axis=0), AROUND * face.side
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]]) * side + middle
    size = min(TILE, round(side))
    tile = np.full((TILE, TILE, 3), 128, dtype=np.uint8)
    at = (TILE - size) // 2
    tile[at : at + size, at : at + size] = extract_crop(pixels, corners, size)
    return tile


def _row(number: int, tiles: list[np.ndarray]) -> np.ndarray:
    gap = np.full((TILE, 12, 3), 255, dtype=np.uint8)
    margin = np.full((TILE, 70, 3), 255, dtype=np.uint8)
    cv2.putText(margin, str(number), (6, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    return np.concatenate([margin, tiles[0], gap, tiles[1]], axis=1)
