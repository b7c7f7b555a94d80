"""How well each judge tells people apart, and the kind of people: docs/judges.md has the figures.

    python -m benchmarks.judges --photos FOLDER --json benchmarks/judges.json

FOLDER: photos of real people, named after whom they show (`ann.jpg`, `ann2.jpg`, `bob_in_rome.jpg`); of a photo with
several faces only these are compared with each other, as strangers. Rendered people are made as they are needed.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.faces.detect import Detector
from falco_core.judges.kind import CENTRE, kind_of_people, kinds_of_faces
from falco_core.judges.recognisers import judge_named
from falco_core.judges.similarity import similarity_matrix
from falco_core.photos.codec import load_photo
from falco_core.photos.tensors import to_pixels
from falco_rendered.dataset import People
from falco_rendered.demo import demo_photos
from falco_rendered.renderer import render_aligned
from falco_rendered.sensor import photograph

JUDGES = ("dlib", "sface", "rendered_heldout", "recogniser")
DEMO = demo_photos()
SEED = 9100
TAIL = 1e-3
"""Share of the most alike strangers from which the rest of the tail is extrapolated."""
RARE = 1e-6


@dataclass(frozen=True)
class Faces:
    """Photos with their faces, and who each face is: an empty name is a stranger to the others of its photo only."""

    photos: tuple[np.ndarray, ...]
    landmarks: tuple[tuple[np.ndarray, ...], ...]
    people: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Separation:
    """Similarities of one judge: of pairs of one person, and of strangers."""

    judge: str
    faces: str
    threshold: float
    near: float
    same: int
    same_mean: float
    same_min: float
    same_recognised: float
    strangers: int
    strangers_mean: float
    strangers_max: float
    strangers_recognised: float
    strangers_near: int
    one_in_a_million: float
    """Similarity, extrapolated (Fisher's z of the top 0.1 %, exponential); normal where strangers are few."""


@dataclass(frozen=True)
class Kinds:
    """What falco_core.judges.kind says of faces whose kind is known."""

    faces: str
    n: int
    real: int
    rendered: int
    unsure: int
    dataset: str
    least_distance: float
    largest_distance: float


def real_faces(folder: Path) -> Faces:
    """The faces of the photos in `folder`."""
    detector = Detector(device="cpu")
    photos, landmarks, people = [], [], []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png")):
        pixels = load_photo(path, max_pixels=10**8).pixels
        found = detector.detect(pixels)
        name = path.stem.split("_")[0].rstrip("0123456789")
        photos.append(pixels)
        landmarks.append(tuple(face.landmarks for face in found))
        people.append((name,) if len(found) == 1 else ("",) * len(found))
    return Faces(tuple(photos), tuple(landmarks), tuple(people))


def rendered_faces(count: int, *, views: int = 2) -> Faces:
    """`count` people in `views` pictures of 128 px each."""
    who = People(count, views, SEED)
    photos, landmarks = [], []
    for row, latents in enumerate(who.latents()):
        render = render_aligned(latents[None], size=128)
        photos.append(to_pixels(photograph(render.images, seed=SEED, first=row))[0])
        landmarks.append((render.landmarks[0].double().numpy(),))
    return Faces(tuple(photos), tuple(landmarks), tuple((str(person),) for person in who.identities().tolist()))


def separation(bundle: Bundle, name: str, faces: Faces, label: str, embeddings: np.ndarray) -> Separation:
    """Compare all pairs whose answer is known."""
    judge = judge_named(name, bundle)
    same, strangers = _pairs(faces)
    values = similarity_matrix(judge.measure, embeddings, embeddings)
    alike, apart = values[same], values[strangers]
    return Separation(
        judge=judge.protocol,
        faces=label,
        threshold=round(judge.threshold, 3),
        near=round(judge.near, 3),
        same=len(alike),
        same_mean=_round(alike.mean()),
        same_min=_round(alike.min()),
        same_recognised=_round((alike >= judge.threshold).mean()),
        strangers=len(apart),
        strangers_mean=_round(apart.mean()),
        strangers_max=_round(apart.max()),
        strangers_recognised=round(float((apart >= judge.threshold).mean()), 5),
        strangers_near=int((apart >= judge.near).sum()),
        one_in_a_million=_round(_rare(apart)),
    )


def kinds(label: str, embeddings: np.ndarray) -> Kinds:
    """The kinds of faces from dlib's embeddings."""
    count = Counter(kinds_of_faces(embeddings))
    distances = np.linalg.norm(embeddings - CENTRE, axis=1)
    return Kinds(
        label,
        len(embeddings),
        count["real"],
        count["rendered"],
        count["unsure"],
        kind_of_people(embeddings),
        _round(distances.min()),
        _round(distances.max()),
    )


def _embed(bundle: Bundle, name: str, faces: Faces) -> np.ndarray:
    judge = judge_named(name, bundle)
    rows = [judge.embed(photo, list(points)) for photo, points in zip(faces.photos, faces.landmarks, strict=True)]
    return np.concatenate(rows)


def _pairs(faces: Faces) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Rows and columns of pairs of one person, and of strangers."""
    photo = np.repeat(np.arange(len(faces.people)), [len(names) for names in faces.people])
    name = np.array([name for names in faces.people for name in names])
    rows, columns = np.triu_indices(len(name), 1)
    known = (name[rows] != "") & (name[columns] != "")
    same = known & (name[rows] == name[columns])
    apart = (known & ~same) | ((photo[rows] == photo[columns]) & ~known)
    return (rows[same], columns[same]), (rows[apart], columns[apart])


def _rare(apart: np.ndarray) -> float:
    if len(apart) * TAIL < 50:
        return float(apart.mean() + 4.7534 * apart.std())
    z = np.sort(np.arctanh(apart.clip(-0.9999, 0.9999)))[-int(len(apart) * TAIL) :]
    return float(np.tanh(z[0] + (z - z[0]).mean() * np.log(TAIL / RARE)))


def _round(value: float) -> float:
    return round(float(value), 3)


def measure(photos: Path | None, people: int) -> tuple[list[Separation], list[Kinds]]:
    """All figures."""
    bundle = load_bundle("mini")
    sets = {f"{people} rendered people": rendered_faces(people)}
    if photos is not None:
        sets["real photos"] = real_faces(photos)
    separations, told = [], []
    for label, faces in sets.items():
        for name in JUDGES:
            embeddings = _embed(bundle, name, faces)
            separations.append(separation(bundle, name, faces, label, embeddings))
            if name == "dlib":
                told.append(kinds(label, embeddings))
    told.append(kinds("demo photos", _embed(bundle, "dlib", real_faces(DEMO))))
    return separations, told


def _print(rows: Iterable[Separation | Kinds]) -> None:
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in asdict(row).items()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; write JSON if asked to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--people", type=int, default=520)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    separations, told = measure(chosen.photos, chosen.people)
    _print(separations)
    _print(told)
    if chosen.json:
        content = {"separation": [asdict(row) for row in separations], "kinds": [asdict(row) for row in told]}
        chosen.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
