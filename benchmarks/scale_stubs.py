"""Answers of the usual size, given at once, in place of all that looks at pixels."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np

from falco_core.anonymize.attempts import Solved
from falco_core.anonymize.inversion import Inverted
from falco_core.faces.ladder import Composition, FaceOutcome
from falco_core.faces.place import Place
from falco_core.judges.second_look import FaceCheck
from falco_core.judges.seen import Seen, When
from falco_core.photos.codec import Photo, encode_photo, png_of
from falco_core.release.mark import mark
from falco_core.store.rows import AlignedPhoto, Attempt, FoundFaceRow

SIZE = 128
NOISE = np.random.default_rng(0)
PICTURE = np.tile(NOISE.integers(0, 255, (SIZE // 2, SIZE // 2, 3), dtype=np.uint8), (2, 2, 1))
CROP, MASK = png_of(PICTURE), png_of(PICTURE[..., 0])
PHOTO = Photo(PICTURE, "PNG")
QUAD = (0.0, 0.0, 0.0, 128.0, 128.0, 128.0, 128.0, 0.0)
POINTS = (48.0, 56.0, 80.0, 56.0, 64.0, 72.0, 52.0, 88.0, 76.0, 88.0)
DIMENSIONS = {"recogniser": 128, "farl": 128}


@cache
def finished_file(kind: str) -> bytes:
    """A small file, another one for each kind: a file system links no file as often as there are photos."""
    picture = PICTURE[:36, :36].copy()
    picture[0, 0] = int(kind, 16)
    return encode_photo(Photo(picture, "PNG"), xmp=mark(True))


@cache
def _strangers(process: int) -> np.random.Generator:
    """Of every process its own: nobody is met twice."""
    return np.random.default_rng(process)


def unit(size: int) -> np.ndarray:
    """A random direction [E]."""
    vector = _strangers(os.getpid()).normal(size=size).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector))


class StubJudge:
    """Sees everybody as a stranger."""

    measure, knows, protocol = "cosine", "rendered", "stub"
    threshold, near = 0.5, 0.9

    def __init__(self, name: str) -> None:
        self.name = name

    def embed(self, pixels: np.ndarray, landmarks: Sequence[np.ndarray]) -> np.ndarray:
        """[F, 128]."""
        return np.stack([unit(128) for _ in landmarks])


def align_photo(*_: Any, name: str, **__: Any) -> AlignedPhoto:
    """One face."""
    crop = hashlib.sha256(name.encode()).hexdigest()
    face = FoundFaceRow(f"{name}-00", crop, 0.9, 1.0, "whole", None, (32.0, 32.0, 96.0, 96.0), POINTS, QUAD)
    return AlignedPhoto(SIZE, SIZE, None, "", (face,), CROP, MASK)


def invert(bundle: Any, crops: np.ndarray, masks: np.ndarray) -> list[Inverted]:
    """Codes and features of the mini bundle's sizes."""
    codes = {"codes": np.zeros((12, 192), np.float32)}
    return [Inverted({**codes, **{n: unit(size) for n, size in DIMENSIONS.items()}}, 0.9) for _ in crops]


def anonymize_faces(bundle: Any, params: Any, faces: Any, gates: Any) -> list[Solved]:
    """One attempt each, good at once."""
    tried = Attempt(0, 0.0, 3, 8, 0.5, 0.0, 0.1, 50, None, quality=0.9)
    codes = np.zeros((12, 192), np.float32)
    return [Solved(codes, PICTURE, [tried], _seen_by(judges)) for judges in gates]


def _seen_by(judges: Sequence[StubJudge]) -> Seen:
    whens: tuple[When, ...] = ("last", "drawn")
    return Seen({(when, judge.name): unit(128)[None] for when in whens for judge in judges})


def compose(climb: Any, photo: Photo, places: Sequence[Place], *, name: str) -> Composition:
    """A small file in which every face is new."""
    seen = tuple(unit(128) for _ in climb.look.judges)
    check = FaceCheck(True, 0.1, 0.9, seen, (0.0,) * len(seen))
    return Composition(finished_file(name[:2]), tuple(FaceOutcome(place, True, check, check) for place in places))


@contextmanager
def nothing_looks_at_pixels() -> Iterator[None]:
    """Within, stages compute nothing."""
    changes = {
        "tasks.align.decode_photo": lambda data, max_pixels: PHOTO,
        "tasks.align.finder_for": lambda *_: None,
        "tasks.align.align_photo": align_photo,
        "tasks.invert.invert": invert,
        "tasks.invert.decode_photo": lambda data, max_pixels: PHOTO,
        "tasks.judging.judge_named": lambda name, bundle: StubJudge(name),
        "tasks.anonymize.anonymize_faces": anonymize_faces,
        "tasks.compose.decode_photo": lambda data, max_pixels: PHOTO,
        "falco_core.faces.composing.finder_for": lambda *_: None,
        "falco_core.faces.composing.judge_named": lambda name, bundle: StubJudge(name),
        "falco_core.faces.ladder.Climb.compose": compose,
        "falco_core.report.pairs.decode_photo": lambda data, max_pixels: PHOTO,
    }
    patches = [patch(name, new) for name, new in changes.items()]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
