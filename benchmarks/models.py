"""What converting and loading the published checkpoints costs, at full size.

    python -m benchmarks.models --json benchmarks/models.json

The files are stand-ins of the published keys and shapes (tests/official.py). Each job runs in a process of its own.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from falco_core.bundles.bundle import load_bundle
from falco_core.bundles.official.convert import About, OfficialFiles, convert_bundle, convert_file
from falco_core.bundles.save import save_weights
from tests.official import save_full_size


@dataclass(frozen=True)
class Cost:
    """Of one job: seconds, the process' largest resident set, and by how much its private memory grew, MB."""

    job: str
    seconds: float
    peak_mb: float
    private_mb: float


def measure(folder: Path) -> list[Cost]:
    """Convert and load full-size stand-ins made in `folder` (4.1 GB)."""
    files = save_full_size(folder)
    bundle = folder / "bundle"
    return [
        _apart(_convert_encoder, "convert e4e_ffhq_encode.pt", files["encoder"], folder / "encoder.safetensors"),
        _apart(_convert_bundle, "convert all, with thresholds", OfficialFiles(**files), bundle),
        _apart(load_bundle, "load the bundle", bundle),
    ]


def _apart(run: Callable[..., object], job: str, *arguments: object) -> Cost:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_cost, run, job, *arguments).result()


def _cost(run: Callable[..., object], job: str, *arguments: object) -> Cost:
    before, start = _private_mb(), time.perf_counter()
    kept = run(*arguments)
    seconds = time.perf_counter() - start
    grown = _private_mb() - before
    del kept
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(job, round(seconds, 2), round(peak), round(grown))


def _private_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1024


def _convert_encoder(path: Path, target: Path) -> None:
    (made,) = convert_file("encoder", path)
    save_weights(made.weights, target)
    target.unlink()


def _convert_bundle(files: OfficialFiles, folder: Path) -> None:
    convert_bundle(files, folder, About("full-size"), say=lambda _: None)


def main() -> None:
    """Measure and print; write JSON if asked to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with TemporaryDirectory() as folder:
        costs = measure(Path(folder))
    for cost in costs:
        print(f"{cost.job:30} {cost.seconds:7.2f} s   peak {cost.peak_mb:5.0f} MB   private {cost.private_mb:+5.0f} MB")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
