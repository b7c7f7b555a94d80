"""How many faces the finder sees, and how often it sees one where there is none.

    python -m benchmarks.finder --json benchmarks/finder.json --photos FOLDER_OF_PHOTOS_WITHOUT_PEOPLE

`--quick` takes less than a minute. The scenes are looked at once, with a low threshold; what a higher one would have
found follows from the scores.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.finder_scenes import KINDS, KnownFace, Picture, nobody, people, scenes
from falco_core.faces.centerface import overlaps
from falco_core.faces.find import THRESHOLD, Finder, FoundFace
from falco_core.project.params import ComposeParams

LOWEST = 0.1
"""The threshold of the one look."""
SECOND = round(THRESHOLD * ComposeParams().suspicion, 3)
"""The threshold of the second look."""
THRESHOLDS = (0.1, 0.15, 0.2, SECOND, 0.25, 0.3, THRESHOLD, 0.4, 0.45, 0.5, 0.6)
WORKERS = 2
SAME = 0.3
"""Overlap (intersection over union) from which a found box is a known face's."""
SURE_LANDMARKS = 0.9
"""MTCNN's probability from which landmarks are counted as MTCNN's."""


@dataclass(frozen=True)
class Looked:
    """A known face and what the finder saw of it: scores (0: nothing), landmark error over the face's width.

    strip: what the photo's border left of it is no face to a person (`KnownFace.strip`).
    """

    kind: str
    size: float
    third: int
    score: float
    mtcnn_score: float
    error: float
    scene: str
    strip: bool
    best_view: str


@dataclass(frozen=True)
class Mistake:
    """A found face where there is none, or a second box on one (`twice`)."""

    picture: str
    size: float
    score: float
    mtcnn_score: float
    twice: bool
    best_view: str


@dataclass(frozen=True)
class Share:
    """`found` of `count` faces in the first look, `in_either` in the first or the second, on the original."""

    group: str
    found: int
    in_either: int
    count: int


@dataclass(frozen=True)
class AtThreshold:
    """Recall of faces of 20 pixels and more, of smaller ones, false faces in scenes and in pictures of nobody.

    Strips are no faces: neither missed nor false.
    """

    threshold: float
    recall: float
    recall_small: float
    false_in_scenes: int
    twice: int
    false_in_nobody: int


@dataclass(frozen=True)
class Landmarks:
    """Of a group of found faces: share seen by MTCNN, median and 95th percentile error over the face's width."""

    group: str
    seen_by_mtcnn: float
    median: float
    worst: float


@dataclass(frozen=True)
class BestView:
    """How many counted faces, false faces and second boxes a view saw better than all others."""

    view: str
    faces: int
    false: int
    twice: int


@dataclass(frozen=True)
class Outcome:
    """All that one run measured; shares are at the default threshold."""

    scenes: int
    faces: int
    nobody: int
    threshold: float
    second_threshold: float
    cpu_seconds_per_megapixel: float
    thresholds: list[AtThreshold]
    shares: list[Share]
    landmarks: list[Landmarks]
    best_views: list[BestView]
    missed: list[Looked]
    false: list[Mistake]


def measure(*, quick: bool, photos: Path | None) -> Outcome:
    """Render, look and count."""
    crowd = people(6 if quick else 24, size=192 if quick else 320, seed=71)
    near = crowd if quick else people(3, size=1024, seed=72)
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"), initializer=_start) as pool:
        looked, false, seconds, pixels = _look(pool, scenes(14 if quick else 70, crowd, near, seed=5))
        empty = list(nobody(12 if quick else 75, seed=6, folder=photos))
        _, wrong, more_seconds, more_pixels = _look(pool, empty)
    return Outcome(
        scenes=len({face.scene for face in looked}),
        faces=len(looked),
        nobody=len(empty),
        threshold=THRESHOLD,
        second_threshold=SECOND,
        cpu_seconds_per_megapixel=round((seconds + more_seconds) / (pixels + more_pixels) * 1e6, 3),
        thresholds=[_at(threshold, looked, false, wrong) for threshold in THRESHOLDS],
        shares=_shares(looked),
        landmarks=_landmarks(looked),
        best_views=_best_views(looked, false, wrong),
        missed=[face for face in looked if not _counts(face, THRESHOLD)],
        false=[face for face in false + wrong if _counts(face, 0.5 * THRESHOLD)],
    )


def _start() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@cache
def _finder() -> Finder:
    return Finder(threshold=LOWEST)


def _look(pool: Executor, pictures: Iterable[Picture]) -> tuple[list[Looked], list[Mistake], float, int]:
    looked: list[Looked] = []
    false: list[Mistake] = []
    seconds, pixels = 0.0, 0
    rest = iter(pictures)
    while some := list(islice(rest, 8)):
        for picture, (found, spent) in zip(some, pool.map(_found, [picture.pixels for picture in some]), strict=True):
            seconds, pixels = seconds + spent, pixels + picture.pixels[..., 0].size
            good, bad = _compare(picture, found)
            looked, false = looked + good, false + bad
    return looked, false, seconds, pixels


def _found(pixels: np.ndarray) -> tuple[list[FoundFace], float]:
    """Faces of a photo, and the seconds of processor time that they took."""
    finder, start = _finder(), time.process_time()
    return finder.find(pixels), time.process_time() - start


def _compare(picture: Picture, found: list[FoundFace]) -> tuple[list[Looked], list[Mistake]]:
    """Each known face with the best found one on it, each found face that is nobody's or somebody's second."""
    boxes = np.array([face.box for face in found]).reshape(-1, 4)
    taken: set[int] = set()
    on_somebody: set[int] = set()
    looked = []
    for known in picture.faces:
        shared = overlaps(known.box, boxes)[0] if found else np.zeros(0)
        on_somebody |= set(np.flatnonzero(shared > 0.1).tolist())
        free = [i for i in np.argsort(-shared).tolist() if shared[i] >= SAME and i not in taken]
        taken |= set(free[:1])
        looked.append(_looked(picture.name, known, found[free[0]] if free else None))
    false = [
        Mistake(
            picture.name,
            round(face.size, 1),
            face.score,
            face.mtcnn_score,
            i in on_somebody,
            face.views[0],
        )
        for i, face in enumerate(found)
        if i not in taken
    ]
    return looked, false


def _looked(scene: str, known: KnownFace, seen: FoundFace | None) -> Looked:
    size, strip = round(known.size, 1), known.strip
    if seen is None:
        return Looked(known.kind, size, known.third, 0.0, 0.0, 0.0, scene, strip, "")
    error = round(float(np.hypot(*(seen.landmarks - known.landmarks).T).mean() / known.size), 3)
    return Looked(known.kind, size, known.third, seen.score, seen.mtcnn_score, error, scene, strip, seen.views[0])


def _counts(face: Looked | Mistake, threshold: float) -> bool:
    """Whether a finder with a threshold would have counted it."""
    return face.score >= threshold


def _at(threshold: float, looked: list[Looked], false: list[Mistake], wrong: list[Mistake]) -> AtThreshold:
    large = [face for face in looked if face.size >= 20 and not face.strip]
    tiny = [face for face in looked if face.size < 20 and not face.strip]
    counted = [face for face in false if _counts(face, threshold)]
    return AtThreshold(
        threshold,
        _part(large, lambda face: _counts(face, threshold)),
        _part(tiny, lambda face: _counts(face, threshold)),
        sum(not face.twice for face in counted),
        sum(face.twice for face in counted),
        sum(_counts(face, threshold) for face in wrong),
    )


def _part(faces: list[Looked], chosen: Callable[[Looked], bool]) -> float:
    return round(sum(map(chosen, faces)) / max(len(faces), 1), 4)


def _shares(looked: list[Looked]) -> list[Share]:
    def share(group: str, faces: list[Looked]) -> Share:
        first, either = (sum(_counts(face, least) for face in faces) for least in (THRESHOLD, SECOND))
        return Share(group, first, either, len(faces))

    strips = [face for face in looked if face.strip]
    looked = [face for face in looked if not face.strip]
    sizes = [(12, 16), (16, 20), (20, 40), (40, 120), (120, 350), (350, 2000)]
    large = [face for face in looked if face.size >= 20]
    return [
        share("20 pixels and more", large),
        *(share(f"skin tone third {t + 1}, 20 pixels and more", [f for f in large if f.third == t]) for t in range(3)),
        *(share(f"{low}..{high} pixels", [f for f in looked if low <= f.size < high]) for low, high in sizes),
        *(share(kind, [f for f in looked if f.kind == kind]) for kind in KINDS),
        share("strips of 20 pixels and more", [f for f in strips if f.size >= 20]),
    ]


def _landmarks(looked: list[Looked]) -> list[Landmarks]:
    rows = []
    for kind in KINDS:
        faces = [face for face in looked if face.kind == kind and _counts(face, THRESHOLD)]
        sure = [face.error for face in faces if face.mtcnn_score >= SURE_LANDMARKS]
        other = [face.error for face in faces if face.mtcnn_score < SURE_LANDMARKS]
        for name, errors in (("MTCNN", sure), ("others", other)):
            if errors:
                middle, high = np.percentile(errors, [50, 95]).round(3).tolist()
                rows.append(Landmarks(f"{kind}, {name}", round(len(sure) / len(faces), 3), middle, high))
    return rows


def _best_views(looked: list[Looked], false: list[Mistake], wrong: list[Mistake]) -> list[BestView]:
    counted = [face for face in looked if _counts(face, THRESHOLD)]
    mistakes = [mistake for mistake in false + wrong if _counts(mistake, THRESHOLD)]
    return [
        BestView(
            view,
            sum(face.best_view == view for face in counted),
            sum(mistake.best_view == view and not mistake.twice for mistake in mistakes),
            sum(mistake.best_view == view and mistake.twice for mistake in mistakes),
        )
        for view in sorted({face.best_view for face in counted} | {mistake.best_view for mistake in mistakes})
    ]


def _say(outcome: Outcome) -> None:
    print(f"{outcome.scenes} scenes with {outcome.faces} faces, {outcome.nobody} pictures of nobody")
    print(f"{outcome.cpu_seconds_per_megapixel} s of one core per megapixel")
    print("threshold   recall >= 20 px   < 20 px   false in scenes   twice   false in pictures of nobody")
    for row in outcome.thresholds:
        print(
            f"{row.threshold:9.2f}   {row.recall:15.4f}   {row.recall_small:7.4f}   {row.false_in_scenes:15}"
            f"   {row.twice:5}   {row.false_in_nobody:11}"
        )
    for share in outcome.shares:
        print(
            f"{share.group:40} {share.found:4} of {share.count:4}  {share.found / max(share.count, 1):.4f}"
            f"   in either look {share.in_either:4}  {share.in_either / max(share.count, 1):.4f}"
        )
    for marks in outcome.landmarks:
        print(f"landmarks {marks.group:25} MTCNN {marks.seen_by_mtcnn:.2f}  {marks.median:.3f}  {marks.worst:.3f}")
    for view in outcome.best_views:
        print(f"best seen by {view.view:22} {view.faces:4} faces  {view.false} false  {view.twice} twice")
    for face in outcome.missed:
        print("missed", face)
    for wrong in outcome.false:
        print("false ", wrong)


def main() -> None:
    """Measure and print; write JSON if asked to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--photos", type=Path, help="folder of photos without people")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    _start()
    outcome = measure(quick=chosen.quick, photos=chosen.photos)
    _say(outcome)
    if chosen.json:
        chosen.json.write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
