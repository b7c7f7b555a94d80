"""New faces for benchmarks/quality.py: of demo photos, rendered scenes and a folder, on every rung of the attempts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.finder_scenes import people, scenes
from falco_core.anonymize.losses import cosine
from falco_core.anonymize.neighbours import FakePool
from falco_core.anonymize.rungs import Plan
from falco_core.anonymize.solver import Problem, Solver
from falco_core.bundles.bundle import Bundle
from falco_core.faces.align import crop_quad, extract_crop, landmarks_in_crop
from falco_core.faces.compose import paste
from falco_core.faces.find import Finder
from falco_core.faces.mask import face_mask
from falco_core.faces.treatment import Limits, why_concealed
from falco_core.photos.codec import load_photo
from falco_core.photos.tensors import to_pixels, to_tensor
from falco_core.project.params import AlignParams, AnonymizeParams
from falco_rendered.demo import demo_photos

LONGEST = 1600
"""Pixels: larger scenes are left out, which cost minutes."""
POOL, TRUNCATION, BATCH = 256, 0.7, 16
SHEET_SIDE = 192


@dataclass(frozen=True)
class Face:
    """A face of a photo that would be replaced; crop, mask and landmarks as tasks/align.py makes them."""

    name: str
    pixels: np.ndarray
    quad: np.ndarray
    points: np.ndarray
    crop: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class Composite:
    """A new face: both crops uint8 [R, R, 3] of one place, its mask, landmarks and fidelity, and pictures of it.

    before, after: uint8 [SHEET_SIDE, SHEET_SIDE, 3] of the photo, as it was and with the new face.
    """

    name: str
    rung: int
    crop: np.ndarray
    new: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray
    fidelity: float
    before: np.ndarray
    after: np.ndarray

    @property
    def key(self) -> str:
        """Name of the face and number of the attempt."""
        return f"{self.name} a{self.rung}"

    @property
    def source(self) -> str:
        """demo, photo, or the kind of scene."""
        return (
            self.name.split()[0] if not self.name.startswith("scene") else self.name.split("_", 1)[1].rsplit("_", 1)[0]
        )


def keep(file: Path, made: Iterable[Composite]) -> None:
    """Write composites to an .npz file."""
    rows = [asdict(each) for each in made]
    arrays: dict[str, Any] = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}
    np.savez_compressed(file, **arrays)


def kept(file: Path) -> list[Composite]:
    """What `keep` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    return [
        Composite(**row | {"name": str(row["name"]), "rung": int(row["rung"]), "fidelity": float(row["fidelity"])})
        for row in rows
    ]


def faces(count: int, folder: Path | None, size: int) -> Iterator[Face]:
    """Faces of the demo photos, of `count` rendered scenes and of a folder of photos, crops of `size` pixels."""
    finder, limits = Finder(), _limits()
    for name, pixels in _photos(count, folder):
        for number, found in enumerate(finder.find(pixels)):
            quad = crop_quad(found.landmarks)
            if not np.isfinite(quad).all():
                continue
            crop = extract_crop(pixels, quad, size)
            inside = landmarks_in_crop(found.landmarks, quad, size)
            mask, told = face_mask(crop, inside)
            if why_concealed(found, pixels.shape, told.covered, limits) is None:
                yield Face(f"{name} {number}", pixels, quad, found.landmarks, crop, mask, inside)


def composites(found: Sequence[Face], bundle: Bundle, plan: Plan) -> Iterator[Composite]:
    """New faces with the fakes and on the rungs of `plan`: of demo and own photos on every rung, of scenes on some."""
    with torch.inference_mode():
        inverted = _inverted(found, bundle)
        pool, pooled = _pool(bundle)
    nearest, _ = FakePool(pooled, "cosine").nearest(inverted.features, plan.attempts)
    for number in range(plan.attempts):
        rung = plan.rung(number)
        solver = Solver(bundle, AnonymizeParams(margin=rung.margin), layers=rung.layers)
        chosen = [row for row, face in enumerate(found) if number in _rungs(face, row, plan.attempts)]
        for rows in (chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)):
            fakes = pool[torch.from_numpy(nearest[rows, number % nearest.shape[1]])]
            masks = torch.from_numpy(np.stack([found[row].mask for row in rows]))[:, None]
            crops = to_tensor(np.stack([found[row].crop for row in rows]))
            outcome = solver.solve(Problem(crops=crops, real=inverted.codes[rows].clone(), fake=fakes, masks=masks))
            for row, new in zip(rows, to_pixels(outcome.images), strict=True):
                yield _composite(found[row], number, new, float(inverted.fidelity[row]))


def _rungs(face: Face, row: int, count: int) -> set[int]:
    if not face.name.startswith("scene"):
        return set(range(count))
    return {row % count, (row + row % 2) % count}


@dataclass(frozen=True)
class _Inverted:
    """Codes [N, L, D], fidelities [N] and FaRL features [N, E] of faces."""

    codes: torch.Tensor
    fidelity: torch.Tensor
    features: np.ndarray


def _inverted(found: Sequence[Face], bundle: Bundle) -> _Inverted:
    codes, fidelity, features = [], [], []
    for part in to_tensor(np.stack([face.crop for face in found])).split(BATCH):
        codes.append(bundle.encoder(part))
        fidelity.append(cosine(bundle.recogniser(bundle.generator.synthesize(codes[-1])), bundle.recogniser(part)))
        features.append(bundle.farl.embed(part))
    return _Inverted(torch.cat(codes), torch.cat(fidelity), torch.cat(features).numpy())


def _composite(face: Face, rung: int, new: np.ndarray, fidelity: float) -> Composite:
    shown = paste(face.pixels, new, quad=face.quad, landmarks=face.points, mask=face.mask).pixels
    before, after = (extract_crop(pixels, face.quad, SHEET_SIDE) for pixels in (face.pixels, shown))
    return Composite(face.name, rung, face.crop, new, face.mask, face.landmarks, fidelity, before, after)


def _photos(count: int, folder: Path | None) -> Iterator[tuple[str, np.ndarray]]:
    for kind, place in (("demo", demo_photos()), ("photo", folder)):
        for path in sorted(place.iterdir()) if place else ():
            if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
                yield f"{kind} {path.name}", load_photo(path, max_pixels=100_000_000).pixels
    crowd = people(24, size=448, seed=71)
    for picture in scenes(count, crowd, crowd, seed=72):
        if max(picture.pixels.shape) <= LONGEST:
            yield f"scene {picture.name}", picture.pixels


def _pool(bundle: Bundle) -> tuple[torch.Tensor, np.ndarray]:
    generator = bundle.generator
    draws = [torch.Generator().manual_seed(seed) for seed in range(POOL)]
    z = torch.cat([torch.randn(1, generator.config.z_dim, generator=draw) for draw in draws])
    codes = generator.broadcast(generator.truncate(generator.map(z), TRUNCATION))
    features = [bundle.farl.embed(generator.synthesize(part)) for part in codes.split(BATCH)]
    return codes, torch.cat(features).numpy()


def _limits() -> Limits:
    params = AlignParams()
    return Limits(params.smallest_replaced, params.most_turned, params.most_covered)
