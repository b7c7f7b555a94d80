"""What pasting a face costs, how well an untouched one comes back, how it ends at its edge, and what its light tells.

    python -m benchmarks.compose --json benchmarks/compose.json

Faces are those of the demo photos. New ones are made by the shipped mini bundle (a face's code with another's middle
layers) and, for sharp ones, by taking another demo face as it is. One thread. Each cost in a process of its own.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch

from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.faces.align import crop_quad, extract_crop, landmarks_in_crop
from falco_core.faces.compose import Pasted, paste
from falco_core.faces.detect import Detector
from falco_core.faces.mask import face_mask
from falco_core.photos.codec import decode_photo
from falco_core.photos.tensors import to_pixels, to_tensor

SIZE = 256
EDGE = 0.06
"""Width of the rim along a mask's edge in which gradients are compared, as a share of the crop's side."""


@dataclass(frozen=True)
class Face:
    """A face of a demo photo: pixels uint8 [H, W, 3], landmarks [5, 2], quad [4, 2]."""

    photo: str
    pixels: np.ndarray
    landmarks: np.ndarray
    quad: np.ndarray

    @property
    def side(self) -> float:
        """Pixels of the crop's side."""
        return float(np.linalg.norm(self.quad[1] - self.quad[0]))

    def crop(self, size: int) -> np.ndarray:
        """The aligned original."""
        return extract_crop(self.pixels, self.quad, size)

    def pasted(self, crop: np.ndarray) -> Pasted:
        """The photo with another face."""
        mask, _ = face_mask(self.crop(SIZE), landmarks_in_crop(self.landmarks, self.quad, SIZE))
        return paste(self.pixels, crop, quad=self.quad, landmarks=self.landmarks, mask=mask)


@dataclass(frozen=True)
class Cost:
    """Of one face with a crop of `side` pixels: seconds of one core for its mask and for its paste, MB at most."""

    side: int
    mask_seconds: float
    paste_seconds: float
    megabytes: float


@dataclass(frozen=True)
class Quality:
    """Means over the faces. Round trips in units of 1/255; edges relative to the same place of the original photo."""

    faces: int
    covered_most: float
    round_trip_own_size: float
    round_trip_128: float
    changed_outside: int
    edge_mini: float
    edge_sharp: float


@dataclass(frozen=True)
class Told:
    """What the mini bundle's held-out recogniser makes of a photo whose face was replaced by nothing at all.

    Cosines to the face's own original and to the others, and how often its own is the nearest.
    """

    filled_with: str
    own: float
    others: float
    rank1: float


def measure(*, quick: bool) -> tuple[list[Cost], Quality, list[Told]]:
    """All figures; quick: fewer sizes and faces."""
    sides = (100, 300) if quick else (100, 300, 500, 800, 3000)
    faces = demo_faces()[: 4 if quick else None]
    costs = [_apart(_cost, faces[0], side) for side in sides]
    bundle = load_bundle("mini")
    return costs, quality(faces, bundle), told(faces, bundle)


def demo_faces() -> list[Face]:
    """The faces that the detector finds in the demo photos."""
    detector, faces = Detector(device="cpu"), []
    for path in sorted((files("falco_core") / "rendered" / "demo_photos").iterdir(), key=lambda each: each.name):
        if path.name.endswith((".jpg", ".png")):
            pixels = decode_photo(path.read_bytes(), max_pixels=10**8).pixels
            for found in detector.detect(pixels):
                faces.append(Face(path.name, pixels, found.landmarks, crop_quad(found.landmarks)))
    return faces


def quality(faces: Sequence[Face], bundle: Bundle) -> Quality:
    """How well faces come back and how new ones end."""
    covered = [face_mask(f.crop(SIZE), landmarks_in_crop(f.landmarks, f.quad, SIZE))[1].covered for f in faces]
    own = [_difference(face, face.pasted(face.crop(round(face.side)))) for face in faces]
    small = [_difference(face, face.pasted(face.crop(128)))[0] for face in faces]
    strangers = [faces[(index + 5) % len(faces)].crop(SIZE) for index in range(len(faces))]
    return Quality(
        faces=len(faces),
        covered_most=round(max(covered), 3),
        round_trip_own_size=_mean([inside for inside, _ in own]),
        round_trip_128=_mean(small),
        changed_outside=sum(outside for _, outside in own),
        edge_mini=_mean([_edge(f, f.pasted(crop)) for f, crop in zip(faces, mixed(faces, bundle), strict=True)]),
        edge_sharp=_mean([_edge(face, face.pasted(crop)) for face, crop in zip(faces, strangers, strict=True)]),
    )


def mixed(faces: Sequence[Face], bundle: Bundle) -> np.ndarray:
    """The bundle's picture of each face with another's middle layers: uint8 [N, R, R, 3]."""
    first, last = bundle.spec.optimize_layers
    with torch.inference_mode():
        codes = torch.cat([bundle.encoder(to_tensor(face.crop(bundle.spec.resolution))) for face in faces])
        codes[:, first:last] = codes.roll(5, dims=0)[:, first:last]
        return to_pixels(torch.cat([bundle.generator.synthesize(code[None]) for code in codes]))


def told(faces: Sequence[Face], bundle: Bundle) -> list[Told]:
    """A grey crop gets light, colour and grain of the old face, and nothing else; a flat region gets less."""
    grey = np.full((128, 128, 3), 128, dtype=np.uint8)
    originals = _features(bundle, faces, [face.pixels for face in faces])
    blended = [face.pasted(grey) for face in faces]
    flat = []
    for face, pasted in zip(faces, blended, strict=True):
        pixels = face.pixels.copy()
        pixels[pasted.region] = face.pixels[pasted.region].mean(axis=0)
        flat.append(pixels)
    fillings = {"one colour": flat, "the blend of a grey crop": [pasted.pixels for pasted in blended]}
    return [_told(name, _features(bundle, faces, pixels) @ originals.T) for name, pixels in fillings.items()]


def _told(name: str, cosines: np.ndarray) -> Told:
    own, count = np.diag(cosines), len(cosines)
    others = (cosines.sum(axis=1) - own) / (count - 1)
    return Told(name, _mean(own), _mean(others), _mean(cosines.argmax(axis=1) == np.arange(count)))


def _features(bundle: Bundle, faces: Sequence[Face], photos: Sequence[np.ndarray]) -> np.ndarray:
    size = bundle.spec.resolution
    crops = [to_tensor(extract_crop(pixels, face.quad, size)) for face, pixels in zip(faces, photos, strict=True)]
    with torch.inference_mode():
        features = torch.nn.functional.normalize(bundle.heldout(torch.cat(crops)))
    return np.asarray(features.numpy())


def _difference(face: Face, pasted: Pasted) -> tuple[float, int]:
    difference = np.abs(pasted.pixels.astype(int) - face.pixels)
    return float(difference[pasted.region].mean()), int((difference[~pasted.region] > 0).sum())


def _edge(face: Face, pasted: Pasted) -> float:
    """Mean gradient along the mask's edge, relative to the original's."""
    depth = cv2.distanceTransform(pasted.region.astype(np.uint8), cv2.DIST_L2, 5)
    rim = pasted.region & (depth < EDGE * face.side)
    slopes = []
    for pixels in (pasted.pixels, face.pixels):
        grey = pixels.astype(np.float32).mean(axis=2)
        x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
        slopes.append(float(np.hypot(x, y)[rim].mean()))
    return slopes[0] / slopes[1]


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return round(float(np.mean(values)), 3)


def _cost(face: Face, side: int) -> Cost:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    small, face = _scaled(face, 100), _scaled(face, side)
    small.pasted(small.crop(SIZE))  # what is loaded once does not count
    crop, inside = face.crop(SIZE), landmarks_in_crop(face.landmarks, face.quad, SIZE)
    mask, _ = face_mask(crop, inside)
    Path("/proc/self/clear_refs").write_text("5")  # the largest resident set counts from here
    before = _status_mb("VmRSS")
    places = {"quad": face.quad, "landmarks": face.landmarks, "mask": mask}
    seconds = [_seconds(lambda: paste(face.pixels, crop, **places)) for _ in range(3)]
    peak = _status_mb("VmHWM") - before
    masked = [_seconds(lambda: face_mask(crop, inside)) for _ in range(3)]
    return Cost(side, round(min(masked), 3), round(min(seconds), 3), round(peak))


def _scaled(face: Face, side: int) -> Face:
    scale = side / face.side
    pixels = np.asarray(cv2.resize(face.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
    return Face(face.photo, pixels, face.landmarks * scale, face.quad * scale)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _status_mb(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def _apart(work: Callable[[Face, int], Cost], face: Face, side: int) -> Cost:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, face, side).result()


def main() -> None:
    """Measure and print; write JSON if asked to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="two sizes and four faces")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    costs, seen, tales = measure(quick=chosen.quick)
    for cost in costs:
        print(
            f"{cost.side:5} px  mask {cost.mask_seconds:.3f} s  paste {cost.paste_seconds:.3f} s  {cost.megabytes} MB"
        )
    print(seen, *tales, sep="\n")
    if chosen.json:
        result = {
            "costs": [asdict(cost) for cost in costs],
            "quality": asdict(seen),
            "told": [asdict(tale) for tale in tales],
        }
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
