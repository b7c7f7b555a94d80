"""The whole way, as users walk it: the command line, a real DVC repository, Prefect's own temporary server."""

import hashlib
import json
import shutil
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from PIL import Image

from falco_core.faces.mask import LIMIT, face_oval
from falco_core.release.mark import mark
from tests import artifacts
from tests.flows.photos import CONCEALED, EITHER, GOOD, shown
from tests.flows.photos import WITHHELD as EXPECTED
from tests.flows.runs import Run, call, run_falco


def test_every_photo_is_released_or_withheld_with_a_reason(run: Run) -> None:
    names = {*GOOD, *CONCEALED, *EXPECTED, *EITHER}
    assert set(run.released) | set(run.reasons) == names
    assert not set(run.released) & set(run.reasons)
    for name, reasons in EXPECTED.items():
        assert run.reasons[name] in (reasons if isinstance(reasons, tuple) else (reasons,)), name
    assert {*GOOD, *CONCEALED} <= set(run.released), run.reasons
    checks = artifacts.checks(run.project)
    assert {check.treatment for photo, check in checks if photo in CONCEALED} <= {"concealed", "blanked"}
    assert any(check.treatment == "replaced" for _, check in checks)


def test_the_release_holds_the_released_and_nothing_else(run: Run) -> None:
    release = run.project / "release"
    found = {path for path in release.rglob("*") if path.is_file()}
    assert found == {*run.released.values(), release / "manifest.json"}
    text = (release / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["photos"]["released"] == len(run.released)
    assert manifest["margin"] == -0.2
    assert manifest["judges"]["gate"] == ["rendered_heldout"]
    assert {record["metric"].split("_")[0] for record in manifest["identity"]} == {"reid", "rank1"}
    assert all(record["rate"]["n"] for record in manifest["identity"])
    for path in run.photos.rglob("*"):
        if path.is_file() and path.stat().st_size:
            assert hashlib.sha256(path.read_bytes()).hexdigest()[:16] not in text
            assert not any(file.read_bytes() == path.read_bytes() for file in found)


def test_the_summary_names_what_was_withheld_and_where_to_look(run: Run) -> None:
    for name, reason in run.reasons.items():
        assert f"{name}: {reason}" in run.output
    assert f"{len(run.released)} of {len(run.released) + len(run.reasons)} photos released" in run.output
    assert str(run.project / "reports/contact_sheets") in run.output
    assert "re-identification: no auditor: reid_rendered_heldout" in run.output
    assert "judges: gate rendered_heldout; audit nobody" in run.output


def test_released_photos_have_size_and_orientation_of_the_original_and_no_metadata(run: Run) -> None:
    for name, path in run.released.items():
        with Image.open(path) as image:
            assert image.size == shown(run.photos / name).size
            assert len(image.getexif()) == 0
            assert not {"exif", "comment", "Comment", "photoshop"} & set(image.info)
            found = [image.info[key] for key in ("xmp", "XML:com.adobe.xmp") if key in image.info]
            marked = image.format in ("JPEG", "PNG", "WEBP", "TIFF")
        assert {text.encode() if isinstance(text, str) else text for text in found} == (
            {mark(True)} if marked else set()
        )
        data = path.read_bytes()
        assert b"Exif\x00" not in data
        assert data.count(b"\xff\xd8\xff") <= 1, "an embedded thumbnail"


def test_faces_are_drawn_over_in_place_and_nothing_else_changes(run: Run) -> None:
    faces = {face.face: face for _, face in artifacts.faces(run.project)}
    found = artifacts.checks(run.project)
    lossless = [(photo, check) for photo, check in found if photo in GOOD and photo.endswith(".png")]
    assert len(lossless) == 2
    for photo, check in lossless:
        before = np.asarray(shown(run.photos / photo).convert("RGB")).astype(int)
        after = np.asarray(Image.open(run.released[photo]).convert("RGB")).astype(int)
        changed = np.abs(after - before).max(axis=2)
        landmarks = np.asarray(faces[check.face].landmarks).reshape(5, 2)
        for x, y in landmarks.astype(int):
            assert changed[y - 8 : y + 8, x - 8 : x + 8].mean() > 4
        rows, columns = np.mgrid[0 : changed.shape[0], 0 : changed.shape[1]]
        distance = face_oval(landmarks).distance(np.stack([columns, rows], axis=-1) + 0.5)
        # A new face ends at the outline of the old one, a concealment covers the head.
        assert changed[distance > (LIMIT + 0.05 if check.treatment == "replaced" else 2.5)].max() == 0
        assert (changed[distance < 0.7] > 0).mean() > 0.8


def test_every_released_face_was_looked_at_twice(run: Run) -> None:
    checked = {check.face for _, check in artifacts.checks(run.project)}
    assert {face.face for photo, face in artifacts.faces(run.project) if photo in run.released} <= checked


def test_dvc_finds_nothing_left_to_do(run: Run) -> None:
    status = call("dvc", "status", cwd=run.project)
    assert "up to date" in status.stdout
    again = call("dvc", "repro", cwd=run.project)
    assert again.returncode == 0, again.stderr
    assert "Running stage" not in again.stdout


def outcomes_of(project: Path) -> list[float]:
    """Recogniser cosines of the first attempts: later ones have lower margins."""
    return [item.row.attempts[0].cosine for item in artifacts.items(project, artifacts.ANONYMIZED)]


def test_another_margin_reruns_anonymize_and_what_follows_and_both_are_reached(run: Run, tmp_path: Path) -> None:
    project = Path(shutil.copytree(run.project, tmp_path / "project", symlinks=True))
    assert fmean(outcomes_of(project)) == pytest.approx(-0.2, abs=0.05)
    changed = call("falco", "init", project, "-S", "anonymize.margin=0.5", cwd=tmp_path)
    assert changed.returncode == 0, changed.stderr
    done = call("dvc", "repro", "anonymize", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
    assert ran == ["anonymize"]
    assert fmean(outcomes_of(project)) == pytest.approx(0.5, abs=0.05)
    stale = call("dvc", "status", cwd=project).stdout
    assert "compose:" in stale
    assert not [stage for stage in ("align:", "invert:", "sample:", "pair:") if stage in stale]


@pytest.mark.slow
def test_the_same_photos_give_the_same_release_in_another_project(run: Run, tmp_path: Path) -> None:
    photos = Path(shutil.copytree(run.photos, tmp_path / "photos"))
    run_falco(photos, tmp_path / "project")
    for path in run.released.values():
        other = tmp_path / "project" / path.relative_to(run.project)
        assert other.read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "no-such-folder"), "not a folder"),
        (("run", "photos", "-S", "anonymize.margin=3"), "anonymize.margin"),
        (("run", "photos", "-S", "anonymize.marginn=0"), "anonymize.marginn: unknown key"),
        (("run", "photos", "-S", "margin"), "KEY=VALUE"),
        (("run", "photos", "--bundle", "nowhere"), "no bundle"),
        (("run", "photos", "--out", "photos/project"), "inside the photo folder"),
        (("stage", "aline"), "choose from align"),
        (("stage", "align", "--project", "."), "falco run"),
    ],
)
def test_a_mistake_is_answered_in_one_line(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    done = call("falco", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    assert not any((tmp_path / "photos").iterdir())
