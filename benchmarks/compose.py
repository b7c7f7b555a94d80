"""What pasting a face costs, how well an untouched one comes back, how it ends at its edge, and what its light tells.

    python -m benchmarks.compose --photos FOLDER_OF_PHOTOS --json benchmarks/compose.json
    python -m benchmarks.compose --photos FOLDER_OF_PHOTOS --blind OUT --first 30

Faces are those of the demo photos, of a folder's photos and of rendered scenes. New ones are made by the shipped mini
bundle (a face's code with another's middle layers); sharp ones are another face as it is or, in scenes, rendered. One
thread. Each cost in a process of its own. A blind sheet with faces of photos belongs outside of the repository.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.compose_faces import LIGHTS, SIZE, Face, demo_faces, folder_faces, mixed, scaled, scene_faces
from benchmarks.compose_sheet import write_blind
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.faces.align import extract_crop, landmarks_in_crop
from falco_core.faces.compose import Pasted, paste
from falco_core.faces.mask import face_mask, features_mask, jaw_mask
from falco_core.photos.tensors import to_tensor

EDGE = 0.012
"""Half width of the ring along a mask's edge in which gradients are compared, as a share of the crop's side."""
SCENES, LIT_SCENES = 30, 12
SEED = 17


@dataclass(frozen=True)
class Cost:
    """Of one face with a crop of `side` pixels: seconds of one core for its mask and for its paste, MB at most."""

    side: int
    mask_seconds: float
    paste_seconds: float
    megabytes: float


@dataclass(frozen=True)
class Quality:
    """Means over a group's faces.

    Round trips of the untouched crop, in units of 1/255 within the region: taken at the face's own size, at 1024 px, at
    128 px of a face made so small that this is its own size, and at 128 px of the face as it is (`lost_128`: what is
    lost of that by the resampling alone). Edges: mean gradient across the mask's edge over that of the original.
    """

    group: str
    faces: int
    covered_most: float
    round_trip_own_size: float
    round_trip_1024: float
    round_trip_of_128: float
    round_trip_128: float
    lost_128: float
    changed_outside: int
    edge_mini: float
    edge_sharp: float


@dataclass(frozen=True)
class Lit:
    """Brightness of the new skin (forehead, cheeks, nose) over the old one's in scenes of a light: mean and range.

    sharp: of rendered new faces in usual light; mini: of the mini bundle's, which sees the dark crop.
    """

    light: str
    sharp: tuple[float, float, float]
    mini: tuple[float, float, float]


@dataclass(frozen=True)
class Told:
    """What the mini bundle's held-out recogniser makes of a photo whose face was replaced by nothing at all.

    Cosines to the face's own original and to the others, and how often its own is the nearest.
    """

    filled_with: str
    own: float
    others: float
    rank1: float


@dataclass(frozen=True)
class Measured:
    """All figures."""

    costs: list[Cost]
    quality: list[Quality]
    light: list[Lit]
    told: list[Told]


def measure(photos: Path | None, *, quick: bool) -> Measured:
    """All figures; quick: fewer sizes and faces."""
    sides = (100, 300) if quick else (100, 300, 500, 800, 3000)
    groups = _groups(photos, quick=quick)
    costs = [_apart(_cost, groups["demo"][0], side) for side in sides]
    bundle = load_bundle("mini")
    return Measured(
        costs=costs,
        quality=[quality(name, faces, bundle) for name, faces in groups.items()],
        light=[lit(light.name, list(scene_faces(3 if quick else LIT_SCENES, light)), bundle) for light in LIGHTS],
        told=told(groups["demo"], bundle),
    )


def _groups(photos: Path | None, *, quick: bool, first: int = 0) -> dict[str, list[Face]]:
    most = 4 if quick else None
    groups = {"demo": demo_faces()[:most], "scenes": list(scene_faces(most or SCENES, LIGHTS[0], first=first))}
    return groups | ({"photos": folder_faces(photos)[:most]} if photos else {})


def blind(photos: Path | None, folder: Path, *, first: int, quick: bool) -> None:
    """Write the blind sheet of all groups, scenes from number `first` on; every second scene has a sharp new face."""
    bundle = load_bundle("mini")
    faces: list[Face] = []
    crops: list[np.ndarray] = []
    for group in _groups(photos, quick=quick, first=first).values():
        faces += group
        made = zip(group, mixed(group, bundle), strict=True)
        crops += [crop if face.sharp is None or number % 2 else face.sharp for number, (face, crop) in enumerate(made)]
    write_blind(faces, crops, folder, seed=SEED + first)


def quality(name: str, faces: Sequence[Face], bundle: Bundle) -> Quality:
    """How well faces come back and how new ones end."""
    covered = [face_mask(f.crop(SIZE), landmarks_in_crop(f.landmarks, f.quad, SIZE))[1].covered for f in faces]
    own = [_difference(face, face.pasted(face.crop(round(face.side)))) for face in faces]
    small = [scaled(face, 128) for face in faces]
    strangers = [faces[(index + 5) % len(faces)].crop(SIZE) for index in range(len(faces))]
    sharp = [s if f.sharp is None else f.sharp for f, s in zip(faces, strangers, strict=True)]
    return Quality(
        group=name,
        faces=len(faces),
        covered_most=round(max(covered), 3),
        round_trip_own_size=_mean([inside for inside, _ in own]),
        round_trip_1024=_mean([_difference(face, face.pasted(face.crop(1024)))[0] for face in faces]),
        round_trip_of_128=_mean([_difference(face, face.pasted(face.crop(128)))[0] for face in small]),
        round_trip_128=_mean([_difference(face, face.pasted(face.crop(128)))[0] for face in faces]),
        lost_128=_mean([_lost(face, 128) for face in faces]),
        changed_outside=sum(outside for _, outside in own),
        edge_mini=_mean([_edge(f, f.pasted(crop)) for f, crop in zip(faces, mixed(faces, bundle), strict=True)]),
        edge_sharp=_mean([_edge(face, face.pasted(crop)) for face, crop in zip(faces, sharp, strict=True)]),
    )


def lit(name: str, faces: Sequence[Face], bundle: Bundle) -> Lit:
    """How bright new faces are in a light."""
    made = mixed(faces, bundle)
    sharp = [_brightness(face, face.pasted(face.sharp)) for face in faces if face.sharp is not None]
    mini = [_brightness(face, face.pasted(crop)) for face, crop in zip(faces, made, strict=True)]
    return Lit(name, _with_range(sharp), _with_range(mini))


def _with_range(values: Sequence[float]) -> tuple[float, float, float]:
    return _mean(values), round(min(values), 3), round(max(values), 3)


def _brightness(face: Face, pasted: Pasted) -> float:
    """Mean brightness of the new skin over that of the old: forehead, cheeks and nose, where no beard grows."""
    whole = slice(0, face.pixels.shape[0]), slice(0, face.pixels.shape[1])
    apart = (features_mask(face.landmarks, *whole) > 0) | (jaw_mask(face.landmarks, *whole) > 0)
    inside = cv2.erode(pasted.region.astype(np.uint8), np.ones((3, 3)), iterations=round(0.05 * face.side))
    skin = (inside > 0) & ~apart
    return float(pasted.pixels[skin].mean() / face.pixels[skin].mean())


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


def _lost(face: Face, size: int) -> float:
    """What a crop of `size` pixels has lost of the face itself, sampled at its own size, within its region."""
    side, own = round(face.side), face.crop(round(face.side))
    region = extract_crop(face.pasted(own).region[..., None].repeat(3, 2).astype(np.uint8) * 255, face.quad, side)
    back = cv2.resize(face.crop(size), (side, side), interpolation=cv2.INTER_CUBIC)
    return float(np.abs(back.astype(int) - own)[region[..., 0] > 127].mean())


def _edge(face: Face, pasted: Pasted) -> float:
    """Mean gradient across the mask's edge, relative to the original's."""
    region, reach = pasted.region.astype(np.uint8), max(1, round(EDGE * face.side))
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    ring = (cv2.dilate(region, element) > 0) & (cv2.erode(region, element) == 0)
    slopes = []
    for pixels in (pasted.pixels, face.pixels):
        grey = pixels.astype(np.float32).mean(axis=2)
        x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
        slopes.append(float(np.hypot(x, y)[ring].mean()))
    return slopes[0] / slopes[1]


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return round(float(np.mean(values)), 3)


def _cost(face: Face, side: int) -> Cost:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    small, face = scaled(face, 100), scaled(face, side)
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
    """Measure and print, or write a blind sheet."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="measure its photos, too")
    parser.add_argument("--blind", type=Path, metavar="FOLDER", help="write sheets of unlabelled pairs and their key")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the blind sheet's first scene")
    parser.add_argument("--quick", action="store_true", help="two sizes and few faces")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if chosen.blind:
        blind(chosen.photos, chosen.blind, first=chosen.first, quick=chosen.quick)
        return
    figures = measure(chosen.photos, quick=chosen.quick)
    print(*figures.costs, *figures.quality, *figures.light, *figures.told, sep="\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
