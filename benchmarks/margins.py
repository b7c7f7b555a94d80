"""What each margin costs and brings: who still recognises a first attempt, and what it keeps.

    python -m benchmarks.margins --json benchmarks/margins.json --photos FOLDER

First attempts at the faces of the demo, of rendered scenes and of FOLDER (nothing of it is kept but numbers), with the
mini bundle or the one of --bundle: `anonymize.margin` in params.yaml is chosen by this table. One thread.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.quality_faces import Face, faces
from falco_core.anonymize.attempts import Faces, Solved, composite
from falco_core.anonymize.faces import anonymize_faces
from falco_core.anonymize.inversion import invert
from falco_core.anonymize.neighbours import FakePool
from falco_core.anonymize.pool import draw_fakes, seed_of
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.judges.recognisers import Judge, judge_named
from falco_core.judges.similarity import similarity
from falco_core.photos.tensors import to_tensor
from falco_core.project.params import InputParams, Params
from falco_core.reasons import Cause

MARGINS = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)
BATCH = 16
RENDERED, REAL = ("rendered_heldout",), ("dlib",)
"""Who gates rendered and real people; the other judges of REAL_AUDIT only count."""
REAL_AUDIT = ("sface",)


@dataclass(frozen=True)
class Row:
    """Faces of one kind at one margin; shares are of first attempts.

    passed: nothing speaks against it; recognised: a judge of the gate knows it, upright, grey or turned; unchanged:
    its pixels are the original's; implausible: its quality is below compose.min_quality; known_by: by judge, at its
    threshold, of the composite upright; farl: mean cosine of FaRL's embeddings to the original's; attributes: share of
    the probe's answers that stay (rendered people only); quality: mean.
    """

    faces: str
    margin: float
    n: int
    passed: float
    recognised: float
    unchanged: float
    implausible: float
    known_by: dict[str, float]
    farl: float
    attributes: float | None
    quality: float


@dataclass(frozen=True)
class Prepared:
    """Faces of one kind, ready for the solver, and what each judge sees of the originals [F, E]."""

    kind: str
    faces: Faces
    gate: tuple[Judge, ...]
    judges: tuple[Judge, ...]
    originals: dict[str, np.ndarray]


def prepared(kind: str, found: Sequence[Face], bundle: Bundle, params: Params) -> Prepared:
    """Invert and pair faces as the stages do."""
    real = kind == "photo"
    gate = tuple(judge_named(name, bundle) for name in (REAL if real else RENDERED))
    judges = (*gate, *(judge_named(name, bundle) for name in (REAL_AUDIT if real else ())))
    originals = {
        judge.name: np.concatenate([judge.embed(face.pixels, [face.points]) for face in found]) for judge in judges
    }
    crops, masks = np.stack([face.crop for face in found]), np.stack([face.mask for face in found])
    inverted = invert(bundle, crops, masks)
    drawn = draw_fakes(bundle, [seed_of(0, number) for number in range(params.sample.count)], params.sample.truncation)
    pool = FakePool(np.stack([fake[params.pair.space] for fake in drawn]), params.pair.metric)
    fakes, _ = pool.nearest(np.stack([each.arrays[params.pair.space] for each in inverted]), 1)
    codes = np.stack([fake["codes"] for fake in drawn])[fakes]
    return Prepared(
        kind,
        Faces(
            crops=crops,
            masks=masks,
            landmarks=np.stack([face.landmarks for face in found]),
            codes=torch.from_numpy(np.stack([each.arrays["codes"] for each in inverted])),
            fidelity=np.array([each.fidelity for each in inverted]),
            references=[[originals[judge.name][row] for judge in gate] for row in range(len(found))],
            fakes=fakes,
            fake_codes=torch.from_numpy(codes),
        ),
        gate,
        judges,
        originals,
    )


def measure(given: Prepared, bundle: Bundle, params: Params, margin: float) -> Row:
    """First attempts at one margin."""
    changed = params.model_copy(
        update={"anonymize": params.anonymize.model_copy(update={"margin": margin, "attempts": 1})}
    )
    solved: list[Solved] = []
    for start in range(0, len(given.faces.crops), BATCH):
        part = _part(given.faces, slice(start, start + BATCH))
        solved += anonymize_faces(bundle, changed, part, [given.gate] * len(part.crops))
    shown = [
        composite(crop, each.crop, landmarks=landmarks, mask=mask)
        for crop, each, landmarks, mask in zip(
            given.faces.crops, solved, given.faces.landmarks, given.faces.masks, strict=True
        )
    ]
    first = [each.attempts[0] for each in solved]
    before, after = to_tensor(given.faces.crops), to_tensor(np.stack(shown))
    with torch.inference_mode():
        farl = float((bundle.farl.embed(before) * bundle.farl.embed(after)).sum(1).mean())
        probe = bundle.probe if given.kind != "photo" else None
        kept = None if probe is None else float((probe.found(before) == probe.found(after)).float().mean())
    return Row(
        faces=given.kind,
        margin=margin,
        n=len(first),
        passed=_share([each.cause is None for each in first]),
        recognised=_share([each.recognised_by is not None for each in first]),
        unchanged=_share([each.cause == Cause.UNCHANGED for each in first]),
        implausible=_share([(each.quality or 0.0) < params.compose.min_quality for each in first]),
        known_by={judge.name: _known(judge, shown, given) for judge in given.judges},
        farl=round(farl, 3),
        attributes=None if kept is None else round(kept, 3),
        quality=round(float(np.mean([each.quality or 0.0 for each in first])), 3),
    )


def _known(judge: Judge, shown: Sequence[np.ndarray], given: Prepared) -> float:
    seen = np.concatenate(
        [judge.embed(picture, [points]) for picture, points in zip(shown, given.faces.landmarks, strict=True)]
    )
    return _share(~(similarity(judge.measure, seen, given.originals[judge.name]) < judge.threshold))


def _part(of: Faces, rows: slice) -> Faces:
    return Faces(
        of.crops[rows],
        of.masks[rows],
        of.landmarks[rows],
        of.codes[rows],
        of.fidelity[rows],
        of.references[rows],
        of.fakes[rows],
        of.fake_codes[rows],
    )


def _share(hits: Sequence[bool] | np.ndarray) -> float:
    return round(float(np.mean(hits)), 3)


def main() -> None:
    """Print a line per kind of faces and margin and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--photos", type=Path, help="a folder of photos of real people")
    parser.add_argument("--bundle", default="mini")
    parser.add_argument("--rendered", type=int, default=100, help="faces of rendered scenes")
    parser.add_argument("--margins", type=float, nargs="+", default=MARGINS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    bundle, params = load_bundle(given.bundle), Params(input=InputParams(photos="."))
    kinds: dict[str, list[Face]] = {}
    # About one scene in three has a face that is replaced and a side of at most 1,600 pixels.
    for face in faces(3 * given.rendered, given.photos, bundle.spec.resolution):
        found = kinds.setdefault(face.name.split()[0], [])
        if len(found) < given.rendered:
            found.append(face)
        elif face.name.startswith("scene"):
            break
    rows = []
    for each in [prepared(kind, found, bundle, params) for kind, found in kinds.items()]:
        for margin in given.margins:
            rows.append(measure(each, bundle, params, margin))
            print(rows[-1], flush=True)
    if given.json:
        text = {"bundle": bundle.spec.version, "rows": [asdict(row) for row in rows]}
        given.json.write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()
