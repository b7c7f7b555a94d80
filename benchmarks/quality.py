"""How plausible new faces are, with sheets to look at: worst first.

    python -m benchmarks.quality /tmp/quality --json benchmarks/quality.json --photos FOLDER

New faces of the demo photos, of rendered scenes (dark, turned, covered, with glasses) and of FOLDER, on every rung of
the attempts, with the mini bundle or the one of --bundle. OUT gets sheets of original and composite, sorted by quality
(private if FOLDER is), and `verdicts.txt`: put an x in front of every face that looks broken and run again with
--verdicts FILE; the figures then say how many of those fall below compose.min_quality. `composites.npz` in OUT keeps
the new faces, so that --again takes minutes off when only the judgement changed. One thread.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality_faces import SHEET_SIDE, Composite, composites, faces, keep, kept
from falco_core.anonymize.attempts import composite
from falco_core.anonymize.rungs import Plan
from falco_core.bundles.bundle import load_bundle
from falco_core.judges.plausible import Plausibility, Quality
from falco_core.project.params import AnonymizeParams, ComposeParams

COLUMNS, ROWS, CAPTION = 5, 6, 30


@dataclass(frozen=True)
class Judged:
    """A composite and its quality; broken: what a person said who looked at it (None: nobody did)."""

    face: Composite
    quality: Quality
    broken: bool | None = None


@dataclass(frozen=True)
class Figures:
    """Of `faces` composites: quantiles of their quality, and how many fall below `min_quality`.

    broken, good: by a person's eye; below of each. steps: mean of every step.
    """

    bundle: str
    generator: str
    faces: int
    min_quality: float
    quantiles: dict[str, float]
    below: int
    broken: int
    broken_below: int
    good_below: int
    steps: dict[str, float]
    by_source: dict[str, float]


def judged(found: Sequence[Composite], broken: set[str] | None) -> list[Judged]:
    """The faces with their quality, worst first."""
    plausibility = Plausibility()
    rows = []
    for face in found:
        shown = composite(face.crop, face.new, landmarks=face.landmarks, mask=face.mask)
        quality = plausibility.quality(
            face.crop,
            shown,
            mask=face.mask,
            landmarks=face.landmarks,
            fidelity=face.fidelity,
            seen=plausibility.look(shown, face.landmarks),
        )
        rows.append(Judged(face, quality, None if broken is None else face.key in broken))
    return sorted(rows, key=lambda row: (row.quality.value, row.face.key))


def figures(rows: Sequence[Judged], bundle: str, generator: str, limit: float) -> Figures:
    """What the rows say."""
    values = np.array([row.quality.value for row in rows])
    sources = sorted({row.face.source for row in rows})
    return Figures(
        bundle=bundle,
        generator=generator,
        faces=len(rows),
        min_quality=limit,
        quantiles={f"{share:.0%}": round(float(np.quantile(values, share)), 3) for share in (0.05, 0.1, 0.25, 0.5)},
        below=int((values < limit).sum()),
        broken=sum(bool(row.broken) for row in rows),
        broken_below=sum(bool(row.broken) and row.quality.value < limit for row in rows),
        good_below=sum(row.broken is False and row.quality.value < limit for row in rows),
        steps={name: _mean([asdict(row.quality)[name] for row in rows]) for name in asdict(rows[0].quality)},
        by_source={name: _mean([row.quality.value for row in rows if row.face.source == name]) for name in sources},
    )


def sheets(rows: Sequence[Judged], folder: Path) -> None:
    """Pages of original and composite with quality and its lowest step."""
    font = ImageFont.load_default(12)
    width, height = 2 * SHEET_SIDE + 8, SHEET_SIDE + CAPTION
    for page, start in enumerate(range(0, len(rows), COLUMNS * ROWS)):
        part = rows[start : start + COLUMNS * ROWS]
        sheet = Image.new("RGB", (COLUMNS * width, -(-len(part) // COLUMNS) * height), (250, 250, 248))
        for place, row in enumerate(part):
            left, top = place % COLUMNS * width, place // COLUMNS * height
            sheet.paste(Image.fromarray(row.face.before), (left, top))
            sheet.paste(Image.fromarray(row.face.after), (left + SHEET_SIDE, top))
            steps = asdict(row.quality)
            lowest = " ".join(f"{name} {value:.2f}" for name, value in steps.items() if value < 1)
            words = f"{start + place}  {row.quality.value:.2f}  {row.face.key}\n{lowest}"
            ImageDraw.Draw(sheet).multiline_text(
                (left, top + SHEET_SIDE), words, fill=(40, 40, 40), font=font, spacing=1
            )
        sheet.save(folder / f"sheet_{page:02d}.png")


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 3)


def main() -> None:
    """Measure, draw and print; write JSON if asked to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--scenes", type=int, default=70, help="rendered scenes to look for faces in")
    parser.add_argument("--bundle", default="mini")
    parser.add_argument("--verdicts", type=Path, help="verdicts.txt with an x in front of every broken face")
    parser.add_argument("--again", action="store_true", help="judge the faces kept in OUT")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    chosen.out.mkdir(parents=True, exist_ok=True)
    bundle, file = load_bundle(chosen.bundle), chosen.out / "composites.npz"
    if not chosen.again:
        plan = Plan(AnonymizeParams().attempts, 0.0, bundle.spec.optimize_layers, bundle.spec.num_layers)
        found = list(faces(chosen.scenes, chosen.photos, bundle.spec.resolution))
        keep(file, composites(found, bundle, plan))
    broken = None
    if chosen.verdicts:
        lines = chosen.verdicts.read_text(encoding="utf-8").splitlines()
        broken = {line[1:].strip() for line in lines if line.startswith("x")}
    rows = judged(kept(file), broken)
    sheets(rows, chosen.out)
    if not chosen.verdicts:
        (chosen.out / "verdicts.txt").write_text("".join(f"  {row.face.key}\n" for row in rows), encoding="utf-8")
    made_by = bundle.spec.networks.generator.sha256[:12]
    result = figures(rows, bundle.spec.name, made_by, ComposeParams().min_quality)
    print(result)
    if chosen.json:
        chosen.json.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
