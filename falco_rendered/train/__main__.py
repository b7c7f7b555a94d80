"""`python -m falco_rendered.train NAME --work DIR`: one recipe of the mini bundle, or all of them."""

import argparse
from pathlib import Path

import torch

from falco_rendered.train.lanes import BUDGETS, NAMES, Job, run


def main() -> None:
    """Read the command line and run the recipe."""
    parser = argparse.ArgumentParser(prog="python -m falco_rendered.train", description=__doc__)
    parser.add_argument("name", choices=NAMES, help="which recipe; `all` goes from nothing to the bundle")
    parser.add_argument("--work", type=Path, required=True, help="folder of renders, checkpoints and weights")
    parser.add_argument(
        "--budget", choices=BUDGETS, default="cpu", help="4 h on 2 cores, 30 min on a GPU, or a trial run"
    )
    parser.add_argument("--minutes", type=float, help="another time for this recipe (for `all`: its sum)")
    parser.add_argument("--threads", type=int, default=2, help="cores to use (default 2)")
    parser.add_argument("--out", type=Path, help="folder of the finished bundle (default: the shipped one)")
    given = parser.parse_args()
    if (given.minutes is not None and given.minutes <= 0) or given.threads < 1:
        parser.error("--minutes and --threads must be above zero")
    if BUDGETS[given.budget].device == "cuda" and not torch.cuda.is_available():
        parser.error("--budget gpu: no GPU is at hand; use --budget cpu")
    run(given.name, Job(given.work, given.budget, given.threads), minutes=given.minutes, out=given.out)


if __name__ == "__main__":
    main()
