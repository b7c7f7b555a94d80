"""All stages on a bundle of random weights: the plumbing, and what happens when something breaks."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import falco_core.faces.ladder
import falco_core.release.writer
from falco_core.anonymize.solver import Outcome, Problem, Solver
from falco_core.errors import GateError, ParamsError, ProjectError
from falco_core.faces.compose import Pasted
from falco_core.faces.find import finder_for
from falco_core.judges import Metrics, recognisers
from falco_core.judges.seen import Seen, reference
from falco_core.photos.codec import Photo, encode_photo
from falco_core.project.folder import Project
from falco_core.project.stages import RELEASED, STAGES
from falco_core.project.work import Entry
from falco_core.reasons import Cause
from falco_core.store.artifact import read_table
from falco_core.store.bucket import Kept
from falco_core.store.rows import Anonymized, ReleasedPhoto
from flows.project import init_project
from flows.stage import run_stage
from flows.summary import summarize
from tasks.batches import KeyedStage, execute_here
from tests.artifacts import (
    ANONYMIZED,
    INVERSIONS,
    change_items,
    checks,
    items,
    new_crops,
    outcomes,
    reasons,
)
from tests.falco_core.judges.helpers import StrokeJudge

NAMES = [stage.name for stage in STAGES]
SETTINGS = {
    "sample.count": 5,
    "sample.batch_size": 2,
    "anonymize.steps": 2,
    "anonymize.attempts": 1,
    "anonymize.batch_size": 2,
    "anonymize.margin": 0.0,
    "anonymize.margin_tolerance": 1.0,
    "judges.gate": ["rendered_heldout"],
    # Random weights draw no faces.
    "gate.min_detection_rate": 0.0,
    "compose.min_quality": 0.0,
}


@pytest.fixture(autouse=True)
def a_judge_that_can_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights recognise everybody in everybody."""
    judge = StrokeJudge()
    monkeypatch.setitem(recognisers._MAKERS, "rendered_heldout", lambda _: judge)
    monkeypatch.setattr(recognisers, "_MADE", {})


@pytest.fixture
def project(tmp_path: Path, demo_photos: Path, tiny_bundle_folder: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("open_sky.png", "park_bench.jpg", "office_window.png"):
        small_copy(demo_photos / name, photos / name)
    (photos / "broken.jpg").write_bytes(b"broken")
    init_project(tmp_path / "project", photos=photos, changes={"bundle": str(tiny_bundle_folder), **SETTINGS})
    return tmp_path / "project"


def small_copy(source: Path, target: Path) -> None:
    """A demo photo with faces of about 100 pixels, quick to look at."""
    with Image.open(source) as image:
        image.convert("RGB").reduce(2).save(target)


def run(project: Path, names: Sequence[str] = NAMES) -> list[str]:
    return [str(run_stage(name, project, execute_here)) for name in names]


def released(project: Path) -> set[str]:
    return {path.name for path in (project / "release" / "photos").rglob("*") if path.is_file()}


def causes(project: Path) -> list[str]:
    """Why faces were concealed."""
    return [check.cause for _, check in checks(project) if check.cause is not None]


def test_a_run_releases_every_good_photo_and_a_second_run_computes_nothing(project: Path) -> None:
    first = run(project)
    assert released(project) == {"open_sky.png", "park_bench.jpg", "office_window.png"}
    assert reasons(project) == {"broken.jpg": "undecodable"}
    assert causes(project) == []
    assert "align: 4 items, 4 computed" in first[0]
    again = run(project)
    for name in ("align", "invert", "sample", "anonymize", "compose"):
        assert ", 0 computed" in again[NAMES.index(name)], name


def test_a_short_last_batch_is_complete(project: Path) -> None:
    run(project, NAMES[:5])
    assert len(items(project, ANONYMIZED)) == 4
    assert len(new_crops(project)) == 4


def test_a_photo_more_costs_one_photo(project: Path, demo_photos: Path) -> None:
    run(project)
    extra = project.parent / "photos" / "library.jpg"
    small_copy(demo_photos / "library.jpg", extra)
    again = run(project)
    for name in ("align", "invert", "anonymize", "compose"):
        assert ", 1 computed" in again[NAMES.index(name)], name
    assert "library.jpg" in released(project)


def test_a_photo_less_disappears(project: Path) -> None:
    run(project)
    (project.parent / "photos" / "open_sky.png").unlink()
    run(project)
    assert released(project) == {"park_bench.jpg", "office_window.png"}


def test_a_face_that_was_not_anonymized_is_concealed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = Solver.solve

    def first_fails(solver: Solver, problem: Problem) -> Outcome:
        outcome = solve(solver, problem)
        return replace(outcome, causes=[Cause.MARGIN_NOT_REACHED, *outcome.causes[1:]])

    monkeypatch.setattr(Solver, "solve", first_fails)
    run(project)
    assert causes(project).count(Cause.MARGIN_NOT_REACHED) >= 1
    assert released(project) == {"open_sky.png", "park_bench.jpg", "office_window.png"}


def test_withholding_instead_of_concealing_is_a_choice(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_fail(solver: Solver, problem: Problem) -> Outcome:
        outcome = solve(solver, problem)
        return replace(outcome, causes=[Cause.NOT_FINITE for _ in outcome.causes])

    solve = Solver.solve
    monkeypatch.setattr(Solver, "solve", all_fail)
    init_project(project, photos=None, changes={"compose.otherwise": "withhold", "gate.allow_unknown": True})
    run(project)
    assert released(project) == set()
    assert set(reasons(project).values()) == {"undecodable", "face_not_replaced"}


def test_a_face_that_stays_implausible_is_tried_again_and_concealed(project: Path) -> None:
    run(project)
    init_project(project, photos=None, changes={"compose.min_quality": 0.3, "anonymize.attempts": 2})
    again = run(project)
    assert "anonymize: 4 items, 4 computed" in again[NAMES.index("anonymize")]
    attempts = [(item.id, attempt) for item in items(project, ANONYMIZED) for attempt in item.row.attempts]
    assert [attempt.cause for _, attempt in attempts] == [Cause.IMPLAUSIBLE] * 8
    assert all(attempt.quality is not None and attempt.quality < 0.3 for _, attempt in attempts)
    assert all(attempt.margin == 0.0 for _, attempt in attempts)
    assert len({(face, attempt.fake) for face, attempt in attempts}) == 8
    assert causes(project) == [Cause.IMPLAUSIBLE] * 4
    last = {face: attempt.quality for face, attempt in attempts}
    assert {check.face: check.quality for _, check in checks(project)} == last
    assert released(project) == {"open_sky.png", "park_bench.jpg", "office_window.png"}
    for photo, check in checks(project):
        pixels = np.asarray(Image.open(project / "release/photos" / photo).convert("RGB")).astype(int)
        x0, y0, x1, y1 = (round(edge) for edge in check.box)
        inner = pixels[(3 * y0 + y1) // 4 : (y0 + 3 * y1) // 4, (3 * x0 + x1) // 4 : (x0 + 3 * x1) // 4]
        steps = np.abs(np.diff(inner, axis=1)).max(axis=2)
        assert np.median(steps) <= 2, "the cells of a mosaic are flat"


def test_a_new_face_that_is_near_another_original_is_concealed(project: Path) -> None:
    run(project, NAMES[: NAMES.index("compose")])
    of_judge = reference("rendered_heldout")
    seen = {item.id: item.row.arrays[of_judge] for item in items(project, INVERSIONS)}
    first, other = list(seen)[:2]

    def planted(item: Kept[Anonymized]) -> Anonymized:
        found = Seen.from_bytes(item.row.seen)
        assert {when for when, _ in found.embeddings} == {"last", "drawn"}
        if item.id != first:
            return item.row
        known: Any = {**found.embeddings, ("drawn", "rendered_heldout"): seen[other][None]}
        return replace(item.row, seen=Seen(known).to_bytes())

    change_items(project, ANONYMIZED, planted)
    run(project, NAMES[NAMES.index("compose") :])
    assert {check.face: check.cause for _, check in checks(project) if check.cause} == {first: "near_another_original"}
    assert released(project) == {"open_sky.png", "park_bench.jpg", "office_window.png"}


def unchanged(pixels: np.ndarray, crop: np.ndarray, **_: Any) -> Pasted:
    """A compose that puts nothing in."""
    return Pasted(pixels, np.ones(pixels.shape[:2], dtype=bool))


def elsewhere(pixels: np.ndarray, crop: np.ndarray, **_: Any) -> Pasted:
    """A compose that misses the face."""
    region = np.zeros(pixels.shape[:2], dtype=bool)
    region[:20, :20] = True
    return Pasted(np.where(region[..., None], 255 - pixels, pixels), region)


@pytest.mark.parametrize("broken", [unchanged, elsewhere])
def test_a_compose_that_leaves_the_original_ends_with_concealed_faces(
    project: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., Pasted]
) -> None:
    monkeypatch.setattr(falco_core.faces.ladder, "paste", broken)
    run(project)
    found = checks(project)
    assert {check.treatment for _, check in found} == {"concealed"}
    assert causes(project).count(Cause.UNCHANGED) == 4
    for photo, check in found:
        before, after = (
            np.asarray(Image.open(folder / photo).convert("RGB")).astype(int)
            for folder in (project.parent / "photos", project / "release/photos")
        )
        x0, y0, x1, y1 = (round(edge) for edge in check.box)
        assert np.abs(before - after)[y0:y1, x0:x1].mean() > 5


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, MemoryError])
def test_a_crash_before_the_second_look_releases_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, trouble: type[BaseException]
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise trouble("power cut")

    monkeypatch.setattr("falco_core.judges.second_look.SecondLook.look", crash)
    with pytest.raises(trouble, match="power cut"):
        run(project)
    assert not (project / "release").exists()
    assert not (project / "data/composed").exists()


@pytest.mark.parametrize(
    "function", ["falco_core.judges.second_look.SecondLook.look", "falco_core.faces.find.Finder.find"]
)
def test_a_failure_on_a_photo_withholds_it_and_is_tried_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("odd photo")

    with monkeypatch.context() as patch:
        patch.setattr(function, fail)
        with pytest.raises(ProjectError, match="3 of [34] photos failed, more than run.max_failed_share 10.0%"):
            run(project)
        init_project(project, photos=None, changes={"run.max_failed_share": 1.0})
        pins = (project / "pins.yaml").read_text()
        with pytest.raises(GateError, match="unknown"):
            run(project)
        assert set(reasons(project).values()) == {"failed", "undecodable"}
        assert (project / "pins.yaml").read_text() != pins, "DVC shall find the stage changed"
    assert released(project) == set()
    run(project)
    assert released(project) == {"open_sky.png", "park_bench.jpg", "office_window.png"}


def test_a_release_that_fails_leaves_the_one_before(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(project)
    before = {path.name: path.read_bytes() for path in (project / "release").rglob("*.*")}
    shutil.rmtree(project / "release")  # as DVC does before it runs the stage

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tasks.release.write_release", full)
        with pytest.raises(OSError, match="No space"):
            run(project, ["release"])
    assert {path.name: path.read_bytes() for path in (project / "release").rglob("*.*")} == before


def test_a_photo_that_changes_during_the_run_stops_it(project: Path) -> None:
    run(project, NAMES[:5])
    (project.parent / "photos" / "open_sky.png").write_bytes((project.parent / "photos/office_window.png").read_bytes())
    with pytest.raises(ProjectError, match="changed during the run"):
        run(project, ["compose"])


def test_a_stage_that_breaks_keeps_what_it_had_computed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(project, NAMES[:4])
    solve, calls = Solver.solve, []

    def second_breaks(solver: Solver, problem: Problem) -> Outcome:
        calls.append(len(problem.crops))
        if len(calls) == 2:
            raise torch.OutOfMemoryError("no memory")
        return solve(solver, problem)

    monkeypatch.setattr(Solver, "solve", second_breaks)
    with pytest.raises(torch.OutOfMemoryError):
        run(project, ["anonymize"])
    assert not (project / "data/anonymized").exists()
    monkeypatch.setattr(Solver, "solve", solve)
    assert "anonymize: 4 items, 2 computed, 2 kept" in run(project, ["anonymize"])[0]


def test_a_closed_gate_stops_the_release_and_says_why(project: Path) -> None:
    run(project)
    init_project(project, photos=None, changes={"gate.max_withheld_rate": 0.1})
    with pytest.raises(GateError, match=r"gate\.max_withheld_rate"):
        run(project, ["release"])


def test_a_stage_refuses_to_run_with_another_bundle_than_pinned(project: Path) -> None:
    pins = project / "pins.yaml"
    pins.write_text(pins.read_text().replace("invert: v", "invert: w"))
    with pytest.raises(ProjectError, match="falco init"):
        run(project, ["align", "invert"])


def test_results_do_not_depend_on_the_batch_size(project: Path) -> None:
    run(project, NAMES[:5])
    cosines = [item.row.attempts[-1].cosine for item in items(project, ANONYMIZED)]
    changes = {"anonymize.batch_size": 3, "invert.batch_size": 1, "sample.batch_size": 5, "store.path": "elsewhere"}
    init_project(project, photos=None, changes=changes)
    run(project, NAMES[:5])
    again = [item.row.attempts[-1].cosine for item in items(project, ANONYMIZED)]
    assert again == cosines


def test_opaque_names_hide_the_originals_and_stay_the_same(project: Path) -> None:
    init_project(project, photos=None, changes={"release.names": "opaque"})
    run(project)
    names = released(project)
    assert len(names) == sum(row.file is not None for row in outcomes(project)) == 3
    assert not any("sky" in name or "park" in name or "office" in name for name in names)
    assert "sky" not in (project / "release/manifest.json").read_text()
    table = {row.photo: row.name for row in read_table(project / RELEASED, ReleasedPhoto)}
    assert set(table) == {"open_sky.png", "park_bench.jpg", "office_window.png"}
    assert set(table.values()) == names
    run(project, ["release"])
    assert released(project) == names


def test_a_finished_file_that_carries_more_is_withheld_and_stops_no_other(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(photo: Photo, **options: Any) -> bytes:
        return encode_photo(photo, **options) + (b"SECRET" if photo.format == "JPEG" else b"")

    monkeypatch.setattr(falco_core.faces.ladder, "encode_photo", planted)
    run(project)
    assert released(project) == {"open_sky.png", "office_window.png"}
    assert reasons(project) == {"broken.jpg": "undecodable", "park_bench.jpg": "carries_more"}
    for folder in ("release", "data/composed"):
        assert not any(b"SECRET" in path.read_bytes() for path in (project / folder).rglob("*") if path.is_file())


def test_what_the_release_finds_itself_is_held_back_and_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(project, NAMES[:7])
    monkeypatch.setattr(
        falco_core.release.writer, "audit_file", lambda data, name: ["a comment"] if name == "park_bench.jpg" else []
    )
    said = run(project, ["release"])[0]
    assert "the audit held 1 back" in said
    assert released(project) == {"open_sky.png", "office_window.png"}
    assert json.loads((project / "release/manifest.json").read_text())["photos"] == {
        "total": 4,
        "released": 2,
        "withheld": 2,
    }
    assert "2 of 4 photos released, 2 withheld" in summarize(Project.open(project), released=True)
    assert "park_bench.jpg: carries_more (a comment)" in summarize(Project.open(project), released=True)


def test_batches_may_come_in_any_order(project: Path) -> None:
    def backwards(keyed: KeyedStage, project: Project, batches: Sequence[list[Entry[Any]]]) -> None:
        execute_here(keyed, project, list(reversed(batches)))

    for name in NAMES[:3]:
        run_stage(name, project, backwards)
    files = [path for name in ("faces", "inversions", "fakes") for path in (project / "data" / name).iterdir()]
    assert len(files) > 3
    first = [path.read_bytes() for path in files]
    # Nothing kept may be read back: the other order computes everything again.
    shutil.rmtree(project / ".falco/store")
    run(project, NAMES[:3])
    assert [path.read_bytes() for path in files] == first


def test_another_number_of_threads_changes_no_byte(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares, before = [], torch.get_num_threads()
    for threads in (1, 3):
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        torch.set_num_threads(threads)
        shutil.rmtree(project / ".falco/store", ignore_errors=True)
        finder_for.cache_clear()
        run(project)
        files = [path for folder in ("data", "release") for path in (project / folder).rglob("*") if path.is_file()]
        shares.append({path.relative_to(project): path.read_bytes() for path in files})
    torch.set_num_threads(before)
    assert len(shares[0]) > 10
    assert shares[0] == shares[1]


def test_a_still_gif_becomes_a_png_without_taking_anothers_name(project: Path) -> None:
    photos = project.parent / "photos"
    with Image.open(photos / "open_sky.png") as sky:
        sky.convert("P").save(photos / "sky.gif")
        sky.save(photos / "sky.gif.png")
    run(project)
    files = {row.photo: row.file for row in outcomes(project) if row.file is not None}
    assert files["sky.gif.png"] == "sky.gif.png"
    assert files["sky.gif"] not in ("sky.gif", "sky.gif.png")
    assert len(released(project)) == len(files) == 5


def test_an_empty_folder_is_said_to_be_empty(project: Path) -> None:
    for photo in (project.parent / "photos").iterdir():
        photo.unlink()
    with pytest.raises(ProjectError, match="no photos"):
        run(project, ["align"])


@pytest.mark.parametrize(
    ("cores", "run", "expected"),
    [
        (1, {}, [16, 4, 1]),
        (8, {}, [32, 8, 8]),
        (8, {"run.runner": "dask"}, [16, 4, 1]),
        (8, {"run.runner": "dask", "run.gpu_workers": True}, [32, 8, 1]),
    ],
)
def test_large_faces_are_taken_fewer_at_a_time_but_enough_for_the_machine(
    project: Path, monkeypatch: pytest.MonkeyPatch, cores: int, run: dict[str, Any], expected: list[int]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
    opened = init_project(project, photos=None, changes=run)
    spec, generator = opened.spec, opened.spec.networks.generator
    found = []
    for resolution in (128, 256, 1024):
        config = generator.config.model_copy(update={"resolution": resolution})
        networks = spec.networks.model_copy(update={"generator": generator.model_copy(update={"config": config})})
        monkeypatch.setattr(Project, "spec", spec.model_copy(update={"networks": networks}))
        found.append(opened.batch_size(None))
        assert opened.batch_size(16) == max(1, 16 * 128**2 // resolution**2)
    assert found == expected


def test_a_pairing_space_that_the_bundle_lacks_is_named_before_anything_runs(project: Path) -> None:
    with pytest.raises(ParamsError, match=r"pair\.space: bundle random has no clip; choose from farl, recogniser"):
        init_project(project, photos=None, changes={"pair.space": "clip"})


def rates(project: Path) -> dict[tuple[str, str], float | None]:
    """Re-identification rates by judge and scope."""
    metrics = Metrics.model_validate_json((project / "reports/metrics.json").read_text())
    return {
        (record.judge, record.scope): record.rate.value
        for record in metrics.identity
        if record.metric.startswith("reid_")
    }


def test_what_the_gate_withholds_changes_its_own_count_and_not_the_auditors(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init_project(project, photos=None, changes={"judges.audit": ["sface"], "gate.max_reidentification_rate": 1.0})
    run(project)
    lenient = rates(project)
    assert causes(project) == []
    # A judge that takes everybody for everybody: nothing new may stay.
    monkeypatch.setattr(StrokeJudge, "threshold", -1.0)
    shutil.rmtree(project / ".falco/store")
    init_project(project, photos=None, changes={"gate.allow_unknown": True})
    run(project)
    strict = rates(project)
    assert causes(project) == [Cause.STILL_RECOGNISABLE] * 4
    assert (lenient["rendered_heldout", "composed"], strict["rendered_heldout", "composed"]) == (0.0, 1.0)
    assert lenient["sface", "composed"] == strict["sface", "composed"] is not None
    assert strict["rendered_heldout", "released"] is None, "faces of one colour are nobody's to recognise"
