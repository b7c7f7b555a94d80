"""Numbers that tell what each stage makes of three small photos, and the file that keeps them.

python -m tests.tasks.results      # after a stage's results were changed on purpose and its version was raised
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from falco_core.bundles.bundle import load_bundle
from falco_core.bundles.save import add_start, write_spec
from falco_core.bundles.spec import StepRule
from falco_core.bundles.tiny import make_random_bundle
from falco_core.faces.aligned import crops_of, masks_of
from falco_core.networks.start import Start
from falco_core.photos.codec import pixels_of
from falco_core.project.folder import Project
from falco_core.project.stages import STAGES
from falco_core.store.artifact import Artifact
from falco_core.store.rows import Fake, Pairing
from falco_rendered.demo import demo_photos
from falco_rendered.train.start import start_config
from flows.project import init_project
from flows.stage import run_stage
from tasks.batches import execute_here
from tests.artifacts import ANONYMIZED, COMPOSED, FACES, INVERSIONS, items, outcomes
from tests.tasks.leaks import shown

FILE = Path(__file__).with_name("results.json")
SETTINGS = {
    "sample.count": 5,
    "anonymize.attempts": 1,
    "anonymize.margin": 0.0,
    "anonymize.margin_tolerance": 1.0,
    "judges.gate": ["dlib"],
    "judges.audit": [],
    "gate.min_detection_rate": 0.0,
    "gate.allow_unknown": True,
    "compose.min_quality": 0.0,
}
TOLERANCE = 2e-3
"""Relative: what other processors change."""


def of_align(project: Path) -> list[float]:
    """Boxes, landmarks, crops and masks."""
    found: list[float] = []
    for item in items(project, FACES):
        for face in item.row.faces:
            found += [face.score, face.mtcnn_score, *face.box, *face.landmarks]
        if item.row.faces:
            found += [float(crops_of(item.row).mean()), float(masks_of(item.row).mean())]
    return found


def of_invert(project: Path) -> list[float]:
    """Fidelity, and the spread and first values of every array."""
    found: list[float] = []
    for item in items(project, INVERSIONS):
        arrays = [array for _, array in sorted(item.row.arrays.items())]
        found += [item.row.fidelity, *(float(array.std()) for array in arrays), *(float(a.flat[0]) for a in arrays)]
    return found


def of_sample(project: Path) -> list[float]:
    """Spread of the codes."""
    return [float(item.row.arrays["codes"].std()) for item in items(project, ("data/fakes", Fake))]


def of_pair(project: Path) -> list[float]:
    """Fakes and their distances."""
    pairs = [item.row for item in Artifact(project / "data/pairs", Pairing).all()]
    return [number for pair in pairs for number in (*map(float, pair.fakes), *pair.distances)]


def of_anonymize(project: Path) -> list[float]:
    """The last attempt, and the crop."""
    found: list[float] = []
    for item in items(project, ANONYMIZED):
        last = item.row.attempts[-1]
        found += [last.cosine, last.attribute_loss, float(pixels_of(item.row.crop).mean())]
    return found


def of_compose(project: Path) -> list[float]:
    """Pixels of the files, and what the second look saw."""
    found: list[float] = []
    for item in items(project, COMPOSED):
        pixels = shown(item.row.file).astype(float)
        found += [pixels.mean(), pixels.std(), *(check.likeness for check in item.row.checks)]
        found += [check.farl_cosine for check in item.row.checks]
    return found


def of_validate(project: Path) -> list[float]:
    """Every number of the metrics."""
    return list(_numbers(json.loads((project / "reports/metrics.json").read_text())))


def of_release(project: Path) -> list[float]:
    """How many photos, and the numbers of the manifest."""
    manifest = json.loads((project / "release/manifest.json").read_text())
    return [float(sum(row.file is not None for row in outcomes(project))), *_numbers(manifest)]


RESULTS: dict[str, Callable[[Path], list[float]]] = {
    "align": of_align,
    "invert": of_invert,
    "sample": of_sample,
    "pair": of_pair,
    "anonymize": of_anonymize,
    "compose": of_compose,
    "validate": of_validate,
    "release": of_release,
}


def measure(root: Path) -> dict[str, dict[str, object]]:
    """Run all stages in a new project below `root`: per stage its version and numbers."""
    from tests.tasks.test_stages import small_copy

    _bundle_with_a_start(root / "bundle")
    (root / "photos").mkdir()
    for name in ("open_sky.png", "park_bench.jpg", "office_window.png"):
        small_copy(demo_photos() / name, root / "photos" / name)
    settings = {"bundle": str(root / "bundle"), **SETTINGS}
    project: Project = init_project(root / "project", photos=root / "photos", changes=settings)
    for stage in STAGES:
        run_stage(stage.name, project.root, execute_here)
    return {
        stage.name: {"version": stage.version, "numbers": [round(n, 6) for n in RESULTS[stage.name](project.root)]}
        for stage in STAGES
        if stage.name in RESULTS
    }


def _bundle_with_a_start(folder: Path) -> None:
    """As mini has one, so that a change of the rule's or the start's arithmetic is noticed, too."""
    spec = make_random_bundle(folder)
    write_spec(spec.model_copy(update={"step_rule": StepRule(steps=3, learning_rate=0.2, betas=(0.7, 0.9))}), folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        start = Start(start_config(load_bundle(folder)))
        torch.nn.init.normal_(start.output.weight, std=0.1)
    add_start(folder, start, steps=2)


def differs(before: list[float], now: list[float]) -> bool:
    """Whether numbers are others, beyond what another processor makes of them."""
    return len(before) != len(now) or not np.allclose(now, before, rtol=TOLERANCE, atol=TOLERANCE)


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in _numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FILE.write_text(json.dumps(measure(Path(folder)), indent=1) + "\n")
    print(f"written: {FILE}")
