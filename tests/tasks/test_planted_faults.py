"""No original face is ever released, whatever breaks: every fault is planted, and the released bytes are looked at."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import falco_core.faces.ladder
import falco_core.faces.views
from falco_core.anonymize.solver import Outcome, Problem, Solver
from falco_core.errors import FalcoError, GateError, JudgeError, ProjectError
from falco_core.faces.compose import Pasted, paste
from falco_core.faces.conceal import Concealment, conceal
from falco_core.faces.find import Finder, FoundFace
from falco_core.faces.ladder import Climb
from falco_core.judges.dlib_judge import DlibJudge
from falco_core.judges.recognisers import BundleJudge
from falco_core.photos.codec import Photo, encode_photo, pixels_of, png_of
from falco_core.project.folder import Project
from falco_core.store.artifact import write_table
from falco_core.store.bucket import Kept
from falco_core.store.rows import ComposedPhoto, Inversion, PhotoOutcome
from flows.project import init_project
from flows.stage import run_stage
from tasks.batches import execute_here
from tests import artifacts
from tests.artifacts import ANONYMIZED, COMPOSED, FACES, INVERSIONS, change_items, checks, failed, with_crop
from tests.tasks.disguises import DISGUISES, forged
from tests.tasks.leaks import Original, equal_share, likeness, released_files, shown

LONGER_SIDE = 500
"""Pixels of the photos: what is judged is the same, only sooner."""
SETTINGS = {"sample.count": 12, "anonymize.steps": 10, "anonymize.attempts": 1, "anonymize.margin_tolerance": 1.0}
SLOW_DISGUISES = {
    *("grey", "dark", "brighter", "upside down", "turned by 180 degrees", "blurred to 32 pixels", "with noise"),
    *("8 levels", "scaled by 0.9"),
}
"""Their likenesses are beside those of the others."""
MAKING = ("align", "invert", "sample", "pair", "anonymize")
JUDGING = ("compose", "validate", "release")
LIMIT = 0.92
"""Likeness from which a released face is an original one: new ones reach 0.86 here, every disguise has 0.99 or more."""
EQUAL_SHARE = 0.6
"""Share of equal pixels from which it is: new ones in the same light reach 0.25 here."""


def some_slow(names: Iterable[str], slow: set[str]) -> list[Any]:
    """Parameters of which those in `slow` are left to `make test-slow`."""
    assert slow <= set(names)
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in names]


@dataclass(frozen=True)
class Made:
    """A project that is anonymized and not yet composed, its originals, their crops, and a new face for each."""

    root: Path
    originals: tuple[Original, ...]
    crops: tuple[np.ndarray, ...]
    new: tuple[np.ndarray, ...]

    def pixels(self, photo: str) -> np.ndarray:
        """The original photo called `photo`."""
        return next(original.pixels for original in self.originals if original.photo == photo)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, demo_photos: Path) -> Made:
    folder = tmp_path_factory.mktemp("planted")
    (folder / "photos").mkdir()
    for name in ("open_sky.png", "park_bench.jpg"):
        image = ImageOps.exif_transpose(Image.open(demo_photos / name)).convert("RGB")
        image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
        image.save(folder / "photos" / name, quality=95)
    root = folder / "project"
    init_project(root, photos=folder / "photos", changes=SETTINGS)
    run(root, MAKING)
    rows = artifacts.faces(root)
    photos = {path.name: shown(path.read_bytes()) for path in (folder / "photos").iterdir()}
    originals = tuple(
        Original(face.face, photo, photos[photo], np.array(face.quad).reshape(4, 2)) for photo, face in rows
    )
    crop_of, made = artifacts.crops(root), artifacts.new_crops(root)
    crops = tuple(crop_of[face.face] for _, face in rows)
    new = tuple(made.get(face.face, next(iter(made.values()))) for _, face in rows)
    assert [photo for photo, _ in rows] == ["open_sky.png", "park_bench.jpg", "park_bench.jpg"]
    return Made(root, originals, crops, new)


@pytest.fixture
def project(made: Made, tmp_path: Path) -> Path:
    """A copy of the project."""
    shutil.copytree(made.root, tmp_path / "project", symlinks=True)
    init_project(tmp_path / "project", photos=None)
    return tmp_path / "project"


def run(project: Path, names: Sequence[str] = JUDGING) -> None:
    for name in names:
        run_stage(name, project, execute_here)


def attempt(project: Path, names: Sequence[str] = JUDGING) -> None:
    """Run the stages; a closed gate is fine where something is broken."""
    with suppress(GateError):
        run(project, names)


def draw(project: Path, made: Made, crops: Sequence[np.ndarray]) -> None:
    """Let the anonymizer have made `crops`, one for each face, and be content with them."""
    planted = {original.name: crop for original, crop in zip(made.originals, crops, strict=True)}
    change_items(project, ANONYMIZED, lambda item: with_crop(item.row, planted[item.id]))


def conceal_all(project: Path) -> None:
    """Let the anonymizer have failed at every face."""
    change_items(project, ANONYMIZED, lambda item: failed(item.row, "not_finite"))


def leaks(released: dict[str, np.ndarray], faces: Sequence[Original]) -> list[str]:
    """Which of `faces` a release shows, a line each."""
    found = []
    for face in faces:
        for pixels in (pixels for name, pixels in released.items() if name == face.photo):
            like, equal = likeness(face, pixels), equal_share(face, pixels)
            if like >= LIMIT or equal >= EQUAL_SHARE:
                found.append(f"{face.photo} shows {face.name}: likeness {like:.2f}, {equal:.0%} of its pixels")
    return found


def treatments(project: Path) -> list[str]:
    return [check.treatment for _, check in checks(project)]


def test_without_a_fault_everything_is_released(made: Made, project: Path) -> None:
    run(project)
    assert set(released_files(project)) == {"open_sky.png", "park_bench.jpg"}
    assert "replaced" in treatments(project)
    assert leaks(released_files(project), made.originals) == []


@pytest.mark.parametrize("name", DISGUISES)
def test_the_measure_sees_what_is_planted(made: Made, name: str) -> None:
    for face in forged(name, made.originals, made.crops, made.new):
        file = encode_photo(Photo(face.pixels, "JPEG"))
        assert leaks({face.photo: shown(file)}, [face])


@pytest.mark.parametrize("name", some_slow(DISGUISES, SLOW_DISGUISES))
def test_an_original_that_passes_for_a_new_face(made: Made, project: Path, name: str) -> None:
    planted = forged(name, made.originals, made.crops, made.new)
    draw(project, made, [face.crop for face in planted])
    attempt(project)
    assert leaks(released_files(project), (*made.originals, *planted)) == []


def test_a_solver_that_returns_the_original(made: Made, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = Solver.solve

    def lazy(solver: Solver, problem: Problem) -> Outcome:
        outcome = solve(solver, problem)
        return replace(outcome, images=problem.crops, causes=[None] * len(problem.crops))

    monkeypatch.setattr(Solver, "solve", lazy)
    shutil.rmtree(project / ".falco/store/anonymize")
    attempt(project, ("anonymize", *JUDGING))
    assert leaks(released_files(project), made.originals) == []
    assert "replaced" not in treatments(project)


class Pastes:
    """Ways to put new faces into photos that leave the original there."""

    def __init__(self) -> None:
        self.count = 0

    def nothing(self, pixels: np.ndarray, crop: np.ndarray, **place: np.ndarray) -> Pasted:
        return Pasted(pixels.copy(), paste(pixels, crop, **place).region)

    def every_second(self, pixels: np.ndarray, crop: np.ndarray, **place: np.ndarray) -> Pasted:
        self.count += 1
        return (paste if self.count % 2 else self.nothing)(pixels, crop, **place)

    def beside(self, pixels: np.ndarray, crop: np.ndarray, **place: np.ndarray) -> Pasted:
        side = np.array([np.ptp(place["quad"][:, 0]) * 0.5, 0.0])
        moved = {"quad": place["quad"] + side, "landmarks": place["landmarks"] + side}
        return paste(pixels, crop, mask=place["mask"], **moved)

    def beside_claiming_the_face(self, pixels: np.ndarray, crop: np.ndarray, **place: np.ndarray) -> Pasted:
        return Pasted(self.beside(pixels, crop, **place).pixels, paste(pixels, crop, **place).region)

    def claiming_everything(self, pixels: np.ndarray, crop: np.ndarray, **place: np.ndarray) -> Pasted:
        return Pasted(pixels.copy(), np.ones(pixels.shape[:2], dtype=bool))


@pytest.mark.parametrize(
    "way",
    some_slow(
        ["nothing", "every_second", "beside", "beside_claiming_the_face", "claiming_everything"],
        {"every_second", "claiming_everything"},
    ),
)
def test_a_paste_that_leaves_the_original(made: Made, project: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    draw(project, made, made.new)
    monkeypatch.setattr(falco_core.faces.ladder, "paste", getattr(Pastes(), way))
    attempt(project)
    assert leaks(released_files(project), made.originals) == []


def test_masks_of_nothing(made: Made, project: Path) -> None:
    draw(project, made, made.new)
    change_items(project, FACES, lambda item: replace(item.row, masks=nothing_of(item.row.masks)))
    attempt(project)
    assert leaks(released_files(project), made.originals) == []


def nothing_of(masks: bytes) -> bytes:
    """Masks of the same size in which nothing is face."""
    return png_of(np.zeros_like(pixels_of(masks))) if masks else b""


REFERENCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "of another face": lambda rows: np.roll(rows, 1, axis=0),
    "negated": lambda rows: -rows,
    "all zero": np.zeros_like,
    "not numbers": lambda rows: np.full_like(rows, np.nan),
    "constant": lambda rows: np.repeat(rows[:1], len(rows), axis=0),
}


@pytest.mark.parametrize("way", REFERENCES)
def test_references_that_are_damaged(made: Made, project: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    draw(project, made, made.new)
    # dlib's tell which kind of people these are, and with it who judges.
    damaged = {f"judge_{name}" for name in ("recogniser", "rendered_heldout", "sface")}
    change_arrays(project, damaged, REFERENCES[way])
    monkeypatch.setattr(falco_core.faces.ladder, "paste", Pastes().nothing)
    with pytest.raises(JudgeError):
        run(project)
    assert released_files(project) == {}


def change_arrays(project: Path, names: set[str], change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Plant what `change` makes of the arrays `names` [F, ...] of all inversions, in the order of the faces."""
    faces = artifacts.items(project, INVERSIONS)
    number = {item.id: place for place, item in enumerate(faces)}
    changed = {name: change(np.stack([item.row.arrays[name] for item in faces])) for name in names}

    def with_arrays(item: Kept[Inversion]) -> Inversion:
        planted = {name: rows[number[item.id]] for name, rows in changed.items()}
        return replace(item.row, arrays={**item.row.arrays, **planted})

    change_items(project, INVERSIONS, with_arrays)


def test_judges_that_say_the_same_of_every_finished_photo(
    made: Made, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(project, made, made.new)
    originals = [original.pixels for original in made.originals]
    for judge in (BundleJudge, DlibJudge):
        embed = judge.embed

        def constant(self: Any, pixels: np.ndarray, landmarks: Any, embed: Any = embed) -> np.ndarray:
            seen: np.ndarray = embed(self, pixels, landmarks)
            if any(np.array_equal(pixels, original) for original in originals):
                return seen
            return np.repeat(np.eye(1, seen.shape[1], dtype=np.float32), len(seen), axis=0)

        monkeypatch.setattr(judge, "embed", constant)
    monkeypatch.setattr(falco_core.faces.ladder, "paste", Pastes().nothing)
    attempt(project)
    assert leaks(released_files(project), made.originals) == []


@pytest.fixture
def weights(made: Made) -> Iterator[Any]:
    """The bundle, whose weights are put back afterwards."""
    bundle = Project.open(made.root).bundle()
    kept = [(p, p.detach().clone()) for net in (bundle.heldout, bundle.farl) for p in net.parameters()]
    yield bundle
    with torch.no_grad():
        for parameter, value in kept:
            parameter.copy_(value)


def test_a_judge_whose_weights_are_zero_stops_the_run(made: Made, project: Path, weights: Any) -> None:
    draw(project, made, made.crops)
    with torch.no_grad():
        for parameter in weights.heldout.parameters():
            parameter.zero_()
    with pytest.raises(JudgeError):
        run(project)
    assert released_files(project) == {}


def test_attributes_that_are_no_numbers_change_nothing(made: Made, project: Path, weights: Any) -> None:
    draw(project, made, made.crops)
    with torch.no_grad():
        for parameter in weights.farl.parameters():
            parameter.fill_(torch.nan)
    try:
        run(project)
    except (FalcoError, ValueError):
        assert released_files(project) == {}
    assert leaks(released_files(project), made.originals) == []


def conceal_nothing(pixels: np.ndarray, box: np.ndarray, how: Concealment) -> Pasted:
    return Pasted(pixels.copy(), conceal(pixels, box, how).region)


def conceal_beside(pixels: np.ndarray, box: np.ndarray, how: Concealment) -> Pasted:
    return conceal(pixels, box + np.array([1, 0, 1, 0]) * (box[2] - box[0]) * 1.2, how)


def conceal_beside_claiming_the_face(pixels: np.ndarray, box: np.ndarray, how: Concealment) -> Pasted:
    return Pasted(conceal_beside(pixels, box, how).pixels, conceal(pixels, box, how).region)


def conceal_by(change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Pasted]:
    """A concealment that changes the head instead of hiding it."""

    def concealed(pixels: np.ndarray, box: np.ndarray, how: Concealment) -> Pasted:
        region = conceal(pixels, box, how).region
        rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
        head = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        result = pixels.copy()
        result[head] = np.where(region[head][..., None], change(pixels[head]), pixels[head])
        return Pasted(result, region)

    return concealed


def blurred_head(head: np.ndarray, side: int) -> np.ndarray:
    small = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, head.shape[1::-1], interpolation=cv2.INTER_CUBIC))


CONCEALMENTS: dict[str, Callable[..., Pasted]] = {
    "nothing": conceal_nothing,
    "beside": conceal_beside,
    "beside, claiming the face": conceal_beside_claiming_the_face,
    "mirrored": conceal_by(lambda head: head[:, ::-1]),
    "upside down": conceal_by(lambda head: head[::-1, ::-1]),
    "blurred to 20 pixels": conceal_by(lambda head: blurred_head(head, 20)),
    "blurred to 40 pixels": conceal_by(lambda head: blurred_head(head, 40)),
    "shifted": conceal_by(lambda head: np.roll(head, len(head) // 5, axis=0)),
    "negative": conceal_by(lambda head: 255 - head),
}


@pytest.mark.parametrize("way", some_slow(CONCEALMENTS, {"beside", "upside down", "blurred to 40 pixels"}))
def test_a_concealment_that_does_not_conceal(
    made: Made, project: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    conceal_all(project)
    monkeypatch.setattr(falco_core.faces.ladder, "conceal", CONCEALMENTS[way])
    attempt(project)
    assert leaks(released_files(project), made.originals) == []


def test_a_mosaic_that_is_too_fine(made: Made, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conceal_all(project)
    monkeypatch.setattr("falco_core.faces.conceal.CELLS", 40)
    monkeypatch.setattr("falco_core.faces.conceal.SMALLEST_CELL", 1)
    attempt(project)
    assert leaks(released_files(project), made.originals) == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_finder_that_is_blind_in_one_view(
    made: Made, project: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    views = falco_core.faces.views.views_of
    monkeypatch.setattr(
        "falco_core.faces.find.views_of",
        lambda pixels: (view for at, view in enumerate(views(pixels)) if at != number),
    )
    shutil.rmtree(project / ".falco/store/align")
    attempt(project, (*MAKING, *JUDGING))
    assert leaks(released_files(project), made.originals) == []


def blind(monkeypatch: pytest.MonkeyPatch, misses: Callable[[Finder, np.ndarray], bool]) -> None:
    """Let the finder miss the last face of every photo with two where `misses` says so."""
    find = Finder.find

    def half_blind(self: Finder, pixels: np.ndarray) -> list[FoundFace]:
        faces = find(self, pixels)
        return faces[:1] if len(faces) == 2 and misses(self, pixels) else faces

    monkeypatch.setattr(Finder, "find", half_blind)


def test_a_face_that_only_the_second_look_sees(made: Made, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Project.open(project).params.align.detection_threshold
    blind(monkeypatch, lambda finder, pixels: finder._threshold == first)
    shutil.rmtree(project / ".falco/store/align")
    attempt(project, (*MAKING, *JUDGING))
    assert leaks(released_files(project), made.originals) == []
    assert set(released_files(project)) == {"open_sky.png", "park_bench.jpg"}
    causes = [check.cause for _, check in checks(project)]
    assert "missed_at_first" in causes


def test_a_face_that_is_only_seen_in_the_finished_photo(
    made: Made, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = made.pixels("park_bench.jpg")
    blind(monkeypatch, lambda finder, pixels: np.array_equal(pixels, bench))
    shutil.rmtree(project / ".falco/store/align")
    attempt(project, (*MAKING, *JUDGING))
    assert leaks(released_files(project), made.originals) == []
    assert "missed_at_first" in [check.cause for _, check in checks(project)]


class Encoders:
    """Ways to write a file that is not what was drawn."""

    def __init__(self, made: Made) -> None:
        self._photos = {original.pixels.shape: original for original in made.originals}
        self.swapped = forged("somebody else's", made.originals, made.crops, made.new)

    def the_original(self, photo: Photo, *, xmp: bytes) -> bytes:
        return encode_photo(replace(photo, pixels=self._photos[photo.pixels.shape].pixels))

    def another_photo(self, photo: Photo, *, xmp: bytes) -> bytes:
        (other,) = (original for shape, original in self._photos.items() if shape != photo.pixels.shape)
        return encode_photo(replace(photo, pixels=other.pixels))

    def another_photo_of_this_size(self, photo: Photo, *, xmp: bytes) -> bytes:
        (other,) = (original for shape, original in self._photos.items() if shape != photo.pixels.shape)
        return encode_photo(replace(photo, pixels=cv2.resize(other.pixels, photo.pixels.shape[1::-1])))

    def the_original_in_the_corner(self, photo: Photo, *, xmp: bytes) -> bytes:
        pixels, face = photo.pixels.copy(), self._photos[photo.pixels.shape]
        pixels[:CORNER, :CORNER] = inset(face)
        return encode_photo(replace(photo, pixels=pixels))

    def somebody_elses_face(self, photo: Photo, *, xmp: bytes) -> bytes:
        swapped = next(face for face in self.swapped if face.pixels.shape == photo.pixels.shape)
        corners = np.rint(swapped.quad).astype(np.int32)
        place = np.zeros(photo.pixels.shape[:2], dtype=np.uint8)
        cv2.fillConvexPoly(place, corners, 1)
        return encode_photo(replace(photo, pixels=np.where(place[..., None] > 0, swapped.pixels, photo.pixels)))


CORNER = 110


def inset(face: Original) -> np.ndarray:
    """The face, as large as fits into the corner."""
    (left, top), (right, bottom) = (np.clip(face.quad[corner].round().astype(int), 0, None) for corner in (0, 2))
    return cv2.resize(face.pixels[top:bottom, left:right], (CORNER, CORNER), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    "way",
    [
        "the_original",
        "another_photo",
        "another_photo_of_this_size",
        "the_original_in_the_corner",
        "somebody_elses_face",
    ],
)
def test_an_encoder_that_writes_something_else(
    made: Made, project: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(falco_core.faces.ladder, "encode_photo", getattr(Encoders(made), way))
    attempt(project)
    assert released_files(project) == {}


@pytest.mark.parametrize(
    ("place", "trouble"),
    [
        ("falco_core.faces.ladder.encode_photo", RuntimeError),
        ("falco_core.faces.ladder.encode_photo", KeyboardInterrupt),
        ("falco_core.store.kept.KeptWork.export", KeyboardInterrupt),
        ("tasks.validate.run", RuntimeError),
        ("tasks.release.write_release", KeyboardInterrupt),
    ],
)
def test_a_crash_before_the_release(
    made: Made, project: Path, monkeypatch: pytest.MonkeyPatch, place: str, trouble: type[BaseException]
) -> None:
    def crash(*_: Any, **__: Any) -> Any:
        raise trouble("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(place, crash)
        with suppress(trouble, ProjectError):
            attempt(project)
        with suppress(ProjectError, OSError, trouble):
            attempt(project, ["release"])
    assert released_files(project) == {}
    run(project)
    assert set(released_files(project)) == {"open_sky.png", "park_bench.jpg"}
    assert leaks(released_files(project), made.originals) == []


def test_a_crash_between_the_photos(made: Made, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose, calls = Climb.compose, []

    def second_crashes(climb: Climb, photo: Photo, *args: Any, **more: Any) -> Any:
        calls.append(photo)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return compose(climb, photo, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Climb, "compose", second_crashes)
        with pytest.raises(KeyboardInterrupt):
            run(project)
    assert released_files(project) == {}
    run(project)
    assert set(released_files(project)) == {"open_sky.png", "park_bench.jpg"}


def test_composed_photos_that_were_not_validated(made: Made, project: Path) -> None:
    run(project)
    planted = forged("somebody else's", made.originals, made.crops, made.new)
    draw(project, made, [face.crop for face in planted])
    run(project, ["compose"])
    shutil.rmtree(project / "release")
    with pytest.raises(ProjectError):
        run(project, ["release"])
    assert leaks(released_files(project), (*made.originals, *planted)) == []


@pytest.mark.parametrize("photo", ["open_sky.png", "park_bench.jpg"])
def test_a_composed_file_that_is_swapped(made: Made, project: Path, photo: str) -> None:
    run(project, ["compose", "validate"])
    other = next(original.photo for original in made.originals if original.photo != photo)
    name = artifacts.names(project)
    for source in (photo, other):
        data = (made.root.parent / "photos" / source).read_bytes()
        change_items(
            project,
            COMPOSED,
            lambda item, data=data: replace(item.row, file=data) if name[item.id] == photo else item.row,
        )
        with pytest.raises(ProjectError, match="not the file that was judged"):
            run(project, ["release"])
        assert released_files(project) == {}


def with_file(item: Kept[ComposedPhoto], of: str, data: bytes) -> ComposedPhoto:
    """The row of an item, with other bytes if it is of the photo `of`."""
    return replace(item.row, file=data) if item.id == of else item.row


def test_a_table_that_calls_a_withheld_photo_composed(made: Made, project: Path) -> None:
    planted = forged("somebody else's", made.originals, made.crops, made.new)
    init_project(project, photos=None, changes={"gate.allow_unknown": True})
    draw(project, made, [face.crop for face in planted])
    run(project, ["compose", "validate"])
    photos = {item.id: item.row for item in artifacts.items(project, COMPOSED)}
    rows = [
        replace(row, file=row.photo, file_sha256=photos[row.sha256].file_sha256, reason=None)
        for row in artifacts.outcomes(project)
    ]
    write_table(project / "reports/outcomes.parquet", rows, PhotoOutcome)
    with pytest.raises(ProjectError):
        run(project, ["release"])
    assert released_files(project) == {}


def test_a_row_that_makes_an_original_composed(made: Made, project: Path) -> None:
    run(project, ["compose", "validate"])
    data = (made.root.parent / "photos" / "open_sky.png").read_bytes()
    digest, name = hashlib.sha256(data).hexdigest(), artifacts.names(project)
    change_items(
        project,
        COMPOSED,
        lambda item: replace(item.row, file=data, file_sha256=digest) if name[item.id] == "open_sky.png" else item.row,
    )
    with pytest.raises(ProjectError):
        run(project, ["release"])
    assert released_files(project) == {}
