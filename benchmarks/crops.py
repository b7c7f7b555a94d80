"""Should the new face's crop be kept, or drawn again from its code where compose needs it?

    python -m benchmarks.crops --json benchmarks/crops.json

Bytes and seconds of both ways on one thread: for the mini bundle with faces of its own, and for a generator of full
size (FFHQ, 1024 px) with random weights, whose time is that of the published one; its crops are the mini bundle's,
enlarged, with grain as a photo has it.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch

from falco_core.bundles.bundle import load_bundle
from falco_core.networks.config import GeneratorConfig
from falco_core.networks.shapes import batch_shape
from falco_core.networks.stylegan2 import Generator
from falco_core.photos.codec import pixels_of, png_of
from falco_core.photos.tensors import to_pixels

FACES, REPEATS = 16, 5
GRAIN = 2.0
"""Standard deviation in grey levels."""


@dataclass(frozen=True)
class Cost:
    """Per face: bytes of the kept crop and of the code, seconds to decode the one and to draw from the other."""

    resolution: int
    crop_bytes: int
    code_bytes: int
    decode_seconds: float
    draw_seconds: float


def cost(generator: Generator, codes: torch.Tensor, crops: list[np.ndarray], repeats: int) -> Cost:
    """Of one generator; drawn in batches of the fixed shape, as everything is."""
    kept = [png_of(crop) for crop in crops]
    size = batch_shape(generator.config.resolution, torch.device("cpu"))

    def draw() -> None:
        with torch.inference_mode():
            to_pixels(generator.synthesize(codes[:size]))

    return Cost(
        resolution=generator.config.resolution,
        crop_bytes=round(np.mean([len(data) for data in kept])),
        code_bytes=codes[0].numel() * codes.element_size(),
        decode_seconds=round(_seconds(lambda: [pixels_of(data) for data in kept], repeats) / len(kept), 4),
        draw_seconds=round(_seconds(draw, repeats) / min(size, len(codes)), 4),
    )


def _seconds(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return median(times)


def main() -> None:
    """Print both and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    draw = torch.Generator().manual_seed(0)
    mini = load_bundle("mini").generator
    codes = mini.broadcast(mini.truncate(mini.map(torch.randn(FACES, mini.config.z_dim, generator=draw)), 0.7))
    with torch.inference_mode():
        crops = list(to_pixels(mini.synthesize(codes)))
    full = Generator(GeneratorConfig(resolution=1024, z_dim=512, w_dim=512))
    noise = np.random.default_rng(0).normal(0, GRAIN, (1024, 1024, 3))
    large = [np.clip(cv2.resize(crop, (1024, 1024)) + noise, 0, 255).astype(np.uint8) for crop in crops[:2]]
    w = full.broadcast(full.map(torch.randn(2, full.config.z_dim, generator=draw)))
    costs = [cost(mini, codes, crops, REPEATS), cost(full, w, large, 2)]
    for each in costs:
        print(each)
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in costs], indent=1) + "\n")


if __name__ == "__main__":
    main()
