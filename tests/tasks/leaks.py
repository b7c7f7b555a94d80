"""Does a released file show an original face? A measure of its own: it shares no code with falco's judges."""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

SIDE = 64
"""Pixels of the square in which the crop quad of a face is compared."""
FACE = slice(round(0.4 * SIDE), round(0.86 * SIDE)), slice(round(0.26 * SIDE), round(0.74 * SIDE))
"""Rows and columns of that square between eyes and mouth."""
REACH = 1.5
"""Side of what is searched, as a multiple of the crop quad's: a shifted face is found beside its place."""
SIZES = (0.85, 0.92, 1.0, 1.1)
"""Sizes at which the original is looked for."""
EQUAL, EQUAL_SHARE = 4, 0.5
"""Grey levels up to which a pixel is the original's own, and the share of such pixels that shows its face."""


@dataclass(frozen=True)
class Original:
    """A face of an original photo: uint8 [H, W, 3] pixels and the crop quad [4, 2] in them."""

    name: str
    photo: str
    pixels: np.ndarray
    quad: np.ndarray


def shown(data: bytes) -> np.ndarray:
    """A file as a viewer shows it: uint8 [H, W, 3]."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def likeness(original: Original, released: np.ndarray) -> float:
    """Highest correlation (-1 to 1) of the original's lines with what a released photo shows there, or nearby."""
    lines = _lines(_square(original.pixels, original.quad, SIDE))
    around = _around(released, original.quad)
    return max(_best(lines[part], around) for part in _parts())


def equal_share(original: Original, released: np.ndarray) -> float:
    """Share of the inner face's pixels that are the original's, up to what an encoder loses."""
    if released.shape != original.pixels.shape:
        return 0.0
    size = round(float(np.linalg.norm(original.quad[1] - original.quad[0])))
    rows, columns = (slice(part.start * size // SIDE, part.stop * size // SIDE) for part in FACE)
    before, after = (_square(pixels, original.quad, size)[rows, columns] for pixels in (original.pixels, released))
    return float((np.abs(before.astype(int) - after).max(axis=2) <= EQUAL).mean())


def released_files(project: Path) -> dict[str, np.ndarray]:
    """All that lies in a release folder, by name; empty if there is none."""
    folder = project / "release" / "photos"
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): shown(path.read_bytes()) for path in files}


def _parts() -> list[tuple[slice, slice]]:
    """The face, and each half of it: half an original is one too many."""
    rows, columns = FACE
    middle = (columns.start + columns.stop) // 2
    return [FACE, (rows, slice(columns.start, middle)), (rows, slice(middle, columns.stop))]


def _around(released: np.ndarray, quad: np.ndarray) -> list[np.ndarray]:
    """What lies around a place, at several sizes, turned and mirrored: lines float32 [S, S]."""
    found = []
    wider = quad.mean(axis=0) + (quad - quad.mean(axis=0)) * REACH
    for size in SIZES:
        lines = _lines(_square(released, wider, round(SIDE * REACH / size)))
        for turns in range(4):
            turned = np.rot90(lines, turns)
            found += [np.ascontiguousarray(turned), np.ascontiguousarray(turned[:, ::-1])]
    return found


def _best(template: np.ndarray, around: list[np.ndarray]) -> float:
    return max(float(_correlations(each, template).max()) for each in around)


def _correlations(lines: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Of the template with every window; 0 where a window (or the template) is next to empty."""
    height, width = template.shape
    size = float(template.size)
    own = template - template.mean()
    found = cv2.matchTemplate(lines, own, cv2.TM_CCORR)
    sums, squares = cv2.integral2(lines)[:2]
    total, energy = (a[height:, width:] - a[:-height, width:] - a[height:, :-width] + a[:-height, :-width]
                     for a in (sums, squares))  # fmt: skip
    spread = np.sqrt(np.maximum(energy - total**2 / size, 0.0))
    scale = spread * float(np.sqrt((own**2).sum()))
    return np.where(spread > 0.2 * np.sqrt(size), found / np.maximum(scale, 1e-9), 0.0)


def _square(pixels: np.ndarray, quad: np.ndarray, size: int) -> np.ndarray:
    """The quad of a photo as a picture uint8 [size, size, 3], without aliasing."""
    blur = 0.4 * float(np.linalg.norm(quad[1] - quad[0])) / size
    smooth = cv2.GaussianBlur(pixels, (0, 0), blur) if blur > 0.5 else pixels
    corners = np.array([[0, 0], [0, size], [size, 0]], dtype=np.float32)
    matrix = cv2.getAffineTransform(np.asarray(quad[[0, 1, 3]], dtype=np.float32), corners)
    return np.asarray(cv2.warpAffine(smooth, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE))


def _lines(crop: np.ndarray) -> np.ndarray:
    """The lines of a picture whatever its light: float32, by contrast to the surroundings."""
    grey = np.log(crop.astype(np.float32).mean(axis=2) + 8.0)
    lines = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.4), cv2.CV_32F)
    return np.asarray(lines / (np.sqrt(cv2.GaussianBlur(lines**2, (0, 0), 6.0)) + 0.004), dtype=np.float32)
