"""A step of the solver against one of the released code's loop, with networks of the published sizes at 1024 px.

    python -m benchmarks.full_size --json benchmarks/full_size.json

Weights are random, from one seed: how long a step takes, and how much memory, does not depend on them. One face, both
objectives; by turns in one process, PAIRS times, medians; each loop's peak memory in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from benchmarks.released_loop import released_loop
from benchmarks.solver import Objective, gflops_of_a_matrix_product
from falco_core.anonymize.solver import Problem, Solver
from falco_core.bundles.bundle import Bundle
from falco_core.bundles.spec import BundleSpec
from falco_core.networks.arcface import Recogniser
from falco_core.networks.config import FarlConfig, GeneratorConfig, RecogniserConfig
from falco_core.networks.farl import Farl
from falco_core.networks.stylegan2 import Generator
from falco_core.project.params import AnonymizeParams, SolverParams

SIZE, LAYERS, PAIRS = 1024, (3, 8), 5
Loop = Literal["released", "float32", "bfloat16"]
OBJECTIVES: tuple[Objective, ...] = ("composite", "crop")
LOOPS: tuple[Loop, ...] = ("released", "float32", "bfloat16")


@dataclass(frozen=True)
class Step:
    """One loop's step with one objective: seconds, the released loop's over these, peak memory of its process."""

    objective: Objective
    loop: Loop
    seconds: float
    speedup: float
    peak_gib: float


def full_size_bundle() -> Bundle:
    """Generator, recogniser and FaRL of the published sizes, with random weights; nothing else."""
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(resolution=SIZE, z_dim=512, w_dim=512))
    networks = {"generator": generator, "recogniser": Recogniser(RecogniserConfig()), "farl": Farl(FarlConfig())}
    for network in networks.values():
        network.eval().requires_grad_(False)
    named: Any = {"optimize_layers": LAYERS, "learning_rate": 0.01, "step_rule": None}
    others: Any = {**networks, "encoder": None, "heldout": None}
    return Bundle(spec=BundleSpec.model_construct(**named), device=torch.device("cpu"), **others)


def problem_of(bundle: Bundle, objective: Objective) -> Problem:
    """One face, and half of its crop as its mask."""
    codes = bundle.generator.broadcast(bundle.generator.map(torch.randn(2, 512)))
    mask = torch.zeros(1, 1, SIZE, SIZE)
    mask[..., SIZE // 4 : -SIZE // 4, SIZE // 8 : -SIZE // 8] = 1.0
    crops = bundle.generator.synthesize(codes[:1]).clamp(-1, 1)
    return Problem(crops, codes[:1], codes[1:], mask if objective == "composite" else None)


def step_seconds(loop: Loop, bundle: Bundle, problem: Problem, steps: int = 2) -> float:
    """The median time from one step's end to the next one's."""
    ends: list[float] = []

    def tell(*_: object) -> None:
        ends.append(time.perf_counter())

    _solve(loop, bundle, problem, steps, tell)
    return median(later - sooner for sooner, later in pairwise(ends))


def _solve(loop: Loop, bundle: Bundle, problem: Problem, steps: int, tell: Callable[..., None]) -> None:
    params = AnonymizeParams(steps=steps)
    if loop == "released":
        released_loop(bundle, params, problem, steps=steps, tell=tell)
    else:
        Solver(bundle, params, SolverParams(precision=loop)).solve(problem, progress=tell)


def peak_gib(loop: Loop, objective: Objective) -> float:
    """Of a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.full_size", "--peak", loop, "--objective", objective]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def measure(objective: Objective) -> list[Step]:
    """Every loop, by turns."""
    with torch.no_grad():
        bundle = full_size_bundle()
        problem = problem_of(bundle, objective)
    seconds: dict[Loop, list[float]] = {loop: [] for loop in LOOPS}
    for turn in range(PAIRS):
        for loop in LOOPS if turn % 2 == 0 else LOOPS[::-1]:
            seconds[loop].append(step_seconds(loop, bundle, problem))
            print(objective, loop, round(seconds[loop][-1], 2), file=sys.stderr, flush=True)
    middle = {loop: median(of) for loop, of in seconds.items()}
    return [
        Step(
            objective=objective,
            loop=loop,
            seconds=round(middle[loop], 2),
            speedup=round(middle["released"] / middle[loop], 2),
            peak_gib=round(peak_gib(loop, objective), 2),
        )
        for loop in LOOPS
    ]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak", choices=LOOPS, help="only: print the peak memory of one loop, GiB")
    parser.add_argument("--objective", choices=OBJECTIVES, default="composite")
    options = parser.parse_args()
    if options.peak:
        with torch.no_grad():
            bundle = full_size_bundle()
            problem = problem_of(bundle, options.objective)
        step_seconds(options.peak, bundle, problem)
        # A process' maxrss begins with that of the one that started it; this does not.
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        print(int(line.split()[1]) / 2**20)
        return
    steps = [step for objective in OBJECTIVES for step in measure(objective)]
    result = {
        "threads": torch.get_num_threads(),
        "gflops_of_a_matrix_product": round(gflops_of_a_matrix_product()),
        "steps": [asdict(step) for step in steps],
    }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
