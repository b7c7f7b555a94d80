"""How like the original a new face is in its pixels, and how like it are originals in disguise.

    python -m benchmarks.likeness --json benchmarks/likeness.json --photos FOLDER

Faces of the demo photos, and of FOLDER if one is named (nothing of it is kept but numbers). Every face is pasted
through compose, as it is or disguised, and compared with what was there: `falco_core.judges.likeness.LIKENESS_LIMIT`
must lie between the new faces and the disguised originals.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from falco_core.anonymize.solver import Problem, Solver
from falco_core.bundles.bundle import load_bundle
from falco_core.faces.align import crop_quad, extract_crop, landmarks_in_crop
from falco_core.faces.compose import paste
from falco_core.faces.conceal import Concealment, conceal
from falco_core.faces.find import Finder
from falco_core.faces.mask import face_mask
from falco_core.judges.likeness import LIKENESS_LIMIT, pixel_likeness
from falco_core.photos.codec import load_photo
from falco_core.photos.tensors import to_pixels, to_tensor
from falco_core.project.params import AnonymizeParams
from falco_rendered.demo import demo_photos

SIZE = 128
SMALLEST = 40
BATCH = 8


@dataclass(frozen=True)
class Face:
    """A face in its photo, its crop quad and mask, and its aligned crop."""

    photo: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray
    quad: np.ndarray
    crop: np.ndarray
    mask: np.ndarray

    def pasted(self, crop: np.ndarray) -> float:
        """Likeness of what compose makes of `crop` to what was there."""
        crop = np.ascontiguousarray(crop)
        shown = paste(self.photo, crop, quad=self.quad, landmarks=self.landmarks, mask=self.mask).pixels
        return pixel_likeness(self.crop, extract_crop(shown, self.quad, SIZE))


def faces_in(folder: Path) -> Iterator[Face]:
    """The faces of a folder's photos that are large enough to be replaced."""
    finder = Finder()
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            continue
        photo = load_photo(path, max_pixels=100_000_000).pixels
        for face in finder.find(photo):
            if face.size < SMALLEST or face.mtcnn_score <= 0:
                continue
            quad = crop_quad(face.landmarks)
            crop = extract_crop(photo, quad, SIZE)
            mask, _ = face_mask(crop, landmarks_in_crop(face.landmarks, quad, SIZE))
            yield Face(photo, face.box, face.landmarks, quad, crop, mask)


def blurred_to(side: int) -> Callable[[np.ndarray], np.ndarray]:
    """A blur that leaves `side` pixels of a crop."""

    def blur(crop: np.ndarray) -> np.ndarray:
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC))

    return blur


DISGUISES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "itself": lambda crop: crop,
    "grey": lambda crop: np.repeat(crop.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
    "mirrored": lambda crop: crop[:, ::-1],
    "dark": lambda crop: (crop * 0.3).astype(np.uint8),
    "upside down": lambda crop: crop[::-1, ::-1],
    "blurred to 32 px": blurred_to(32),
    "blurred to 16 px": blurred_to(16),
    "shifted by a tenth": lambda crop: np.roll(crop, SIZE // 10, axis=1),
}


def new_faces(faces: list[Face], steps: int) -> np.ndarray:
    """What the optimization makes of each face, starting from another one's middle layers: uint8 [N, S, S, 3]."""
    bundle = load_bundle("mini")
    crops = torch.cat([to_tensor(face.crop) for face in faces])
    masks = torch.from_numpy(np.stack([face.mask for face in faces]))[:, None]
    with torch.no_grad():
        codes = bundle.encoder(crops)
    others = codes.roll(len(faces) // 2, dims=0)
    solver = Solver(bundle, AnonymizeParams(steps=steps))
    made = []
    for part in torch.arange(len(faces)).split(BATCH):
        problem = Problem(crops=crops[part], real=codes[part], fake=others[part], masks=masks[part])
        made.append(to_pixels(solver.solve(problem).images))
    return np.concatenate(made)


def measure(faces: list[Face], steps: int) -> dict[str, list[float]]:
    """Likenesses by kind, a value per face."""
    found = {"new": [face.pasted(crop) for face, crop in zip(faces, new_faces(faces, steps), strict=True)]}
    found |= {name: [face.pasted(disguise(face.crop)) for face in faces] for name, disguise in DISGUISES.items()}
    concealed = (conceal(face.photo, face.box, Concealment.MOSAIC).pixels for face in faces)
    found["mosaic"] = [
        pixel_likeness(face.crop, extract_crop(shown, face.quad, SIZE))
        for face, shown in zip(faces, concealed, strict=True)
    ]
    return found


def main() -> None:
    """Print a line per kind and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.likeness", description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--photos", type=Path, help="a folder of photos beside the demo's")
    parser.add_argument("--steps", type=int, default=50)
    given = parser.parse_args()
    torch.set_num_threads(1)
    faces = [face for folder in (demo_photos(), given.photos) if folder for face in faces_in(folder)]
    figures = {
        name: {
            "n": len(values),
            **dict(zip(("least", "median", "most"), np.quantile(values, [0, 0.5, 1]).round(3).tolist(), strict=True)),
        }
        for name, values in measure(faces, given.steps).items()
    }
    for name, figure in figures.items():
        print(f"{name:20} {figure}")
    if given.json:
        given.json.write_text(json.dumps({"limit": LIKENESS_LIMIT, "likeness": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
