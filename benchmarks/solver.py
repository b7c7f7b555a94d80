"""The solver against the loop of the released code: on the same faces, weights, machine and objective, by turns.

    python -m benchmarks.solver --faces 64 --json benchmarks/solver.json
    python -m benchmarks.solver --bundle mini --quick --json FILE      # ends within 50 seconds on 2 cores

Faces: rendered people that no network was trained on, each with its nearest fake of a pool of 256. By turns, PAIRS
times, a part of the faces is solved by both; seconds are medians over the turns. Objectives are measured once more on
the codes that came out, by one function for both. `speedup` is the ratio of faces per hour, for the objective on the
composite, and counts only beside `mean_excess` and `share_worse`: how far ours is above theirs.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from benchmarks.released_loop import released_loop
from falco_core.anonymize.losses import attribute_preservation_loss, identity_obfuscation_loss
from falco_core.anonymize.neighbours import FakePool
from falco_core.anonymize.pool import draw_fakes, seed_of
from falco_core.anonymize.solver import Problem, Solver
from falco_core.bundles.bundle import Bundle, load_bundle
from falco_core.faces.mask import face_mask
from falco_core.photos.tensors import to_pixels
from falco_core.project.params import AnonymizeParams
from falco_rendered.dataset import People
from falco_rendered.renderer import render_aligned

Objective = Literal["composite", "crop"]
SEED, POOL, TRUNCATION = 77, 256, 0.7
WORSE = 0.02
"""Share by which an objective is above the other one's to count as worse."""


@dataclass(frozen=True)
class Compared:
    """Both loops over the same faces with one objective."""

    objective: Objective
    faces: int
    pairs: int
    threads: int
    released_seconds_per_face: float
    our_seconds_per_face: float
    released_faces_per_hour: float
    our_faces_per_hour: float
    speedup: float
    released_mean_objective: float
    our_mean_objective: float
    mean_excess: float
    """(ours - theirs) / theirs, of the means."""
    share_worse: float
    """Faces whose objective is more than 2 % above the released loop's."""
    gflops_of_a_matrix_product: float


def compare(bundle: Bundle, params: AnonymizeParams, problem: Problem, pairs: int) -> Compared:
    """Solve every face by both loops, `pairs` parts by turns."""
    objective: Objective = "crop" if problem.masks is None else "composite"
    solver = Solver(bundle, params)
    parts = [part for part in torch.arange(len(problem.real)).tensor_split(pairs) if len(part)]
    seconds: dict[str, list[float]] = {"released": [], "ours": []}
    totals: dict[str, list[Tensor]] = {"released": [], "ours": []}
    loops: dict[str, Callable[[Problem], Tensor]] = {
        "released": lambda part: released_loop(bundle, params, part),
        "ours": lambda part: solver.solve(part).codes,
    }
    for number, rows in enumerate(parts):
        part = problem.rows(rows)
        # Whoever comes second finds warm caches: by turns.
        for name in sorted(loops, reverse=number % 2 == 1):
            start = time.perf_counter()
            codes = loops[name](part)
            seconds[name].append((time.perf_counter() - start) / len(rows))
            totals[name].append(objective_of(bundle, params, part, codes))
    theirs, ours = (torch.cat(totals[name]) for name in ("released", "ours"))
    released, own = median(seconds["released"]), median(seconds["ours"])
    return Compared(
        objective=objective,
        faces=len(problem.real),
        pairs=len(parts),
        threads=torch.get_num_threads(),
        released_seconds_per_face=round(released, 3),
        our_seconds_per_face=round(own, 3),
        released_faces_per_hour=round(3600 / released),
        our_faces_per_hour=round(3600 / own),
        speedup=round(released / own, 2),
        released_mean_objective=round(float(theirs.mean()), 4),
        our_mean_objective=round(float(ours.mean()), 4),
        mean_excess=round(float(ours.mean() / theirs.mean() - 1), 4),
        share_worse=round(float((ours > theirs * (1 + WORSE)).float().mean()), 4),
        gflops_of_a_matrix_product=round(gflops_of_a_matrix_product()),
    )


@torch.no_grad()
def objective_of(bundle: Bundle, params: AnonymizeParams, problem: Problem, codes: Tensor) -> Tensor:
    """What both loops minimize, of each face [N]."""
    found = []
    for row in range(len(codes)):
        face = problem.rows(torch.tensor([row]))
        images = bundle.generator.draw(codes[row : row + 1])
        seen = images if face.masks is None else face.crops + face.masks * (images - face.crops)
        identity = identity_obfuscation_loss(
            generated=bundle.recogniser(seen), original=bundle.recogniser(face.crops), margin=params.margin
        )
        attribute = attribute_preservation_loss(
            generated=bundle.farl.tokens(seen), original=bundle.farl.tokens(face.crops)
        )
        found.append(params.lambda_id * identity + params.lambda_attr * attribute)
    return torch.cat(found)


@torch.no_grad()
def make_problem(bundle: Bundle, faces: int) -> Problem:
    """Rendered people, their codes, masks and nearest fakes."""
    rendered = render_aligned(People(faces, 1, SEED).latents(), size=bundle.spec.resolution)
    codes = torch.cat([bundle.encoder(part) for part in rendered.images.split(16)])
    drawn = draw_fakes(bundle, [seed_of(SEED, number) for number in range(POOL)], TRUNCATION)
    pool = FakePool(np.stack([fake["farl"] for fake in drawn]), "cosine")
    features = torch.cat([bundle.farl.embed(part) for part in rendered.images.split(16)])
    nearest, _ = pool.nearest(features.numpy(), 1)
    masks = [
        face_mask(crop, points)[0]
        for crop, points in zip(to_pixels(rendered.images), rendered.landmarks.numpy(), strict=True)
    ]
    return Problem(
        crops=rendered.images,
        real=codes,
        fake=torch.from_numpy(np.stack([drawn[number]["codes"] for number in nearest[:, 0]])),
        masks=torch.from_numpy(np.stack(masks)).float()[:, None],
    )


def gflops_of_a_matrix_product(size: int = 2048, repeats: int = 5) -> float:
    """What this machine reaches in a large product of float32 matrices."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    left @ right
    start = time.perf_counter()
    for _ in range(repeats):
        left @ right
    return 2 * size**3 * repeats / (time.perf_counter() - start) / 1e9


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="mini")
    parser.add_argument("--faces", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="8 faces once, the composite alone")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    faces, pairs = (8, 1) if options.quick else (options.faces, options.pairs)
    problem, params = make_problem(bundle, faces), AnonymizeParams()
    problems = [problem] if options.quick else [problem, replace(problem, masks=None)]
    found: Sequence[Compared] = [compare(bundle, params, each, pairs) for each in problems]
    command = f"python -m benchmarks.solver --bundle {options.bundle} --faces {faces} --pairs {pairs}"
    result = {
        "command": command,
        "bundle": options.bundle,
        "speedup": found[0].speedup,
        "compared": [asdict(each) for each in found],
    }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
