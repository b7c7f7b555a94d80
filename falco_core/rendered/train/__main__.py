"""`python -m falco_core.rendered.train NAME --work DIR`: one recipe of the mini bundle, or all of them."""

import argparse
from pathlib import Path

from falco_core.rendered.train.lanes import MINUTES, NAMES, run


def main() -> None:
    """Read the command line and run the recipe."""
    parser = argparse.ArgumentParser(prog="python -m falco_core.rendered.train", description=__doc__)
    budgets = ", ".join(f"{name} {minutes:g}" for name, minutes in MINUTES.items())
    parser.add_argument("name", choices=NAMES, help="which recipe; `all` goes from nothing to the bundle")
    parser.add_argument("--work", type=Path, required=True, help="folder of renders, checkpoints and weights")
    parser.add_argument("--minutes", type=float, help=f"budget (default: {budgets}; `all` scales these)")
    parser.add_argument("--threads", type=int, default=2, help="cores to use (default 2)")
    parser.add_argument("--out", type=Path, help="folder of the finished bundle (default: the shipped one)")
    given = parser.parse_args()
    if (given.minutes is not None and given.minutes <= 0) or given.threads < 1:
        parser.error("--minutes and --threads must be above zero")
    run(given.name, given.work, minutes=given.minutes, threads=given.threads, out=given.out)


if __name__ == "__main__":
    main()
