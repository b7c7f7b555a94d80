"""`falco render` and `falco bundle`: the rendered world, the one part of the command that needs the workshop."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The rendered world's bundle: measure it.")


@app.callback()
def group() -> None:
    """Keep `report` a command of its own name."""


@app.command()
def report(
    full: Annotated[bool, typer.Option("--full", help="Measure on 500 people instead of 60")] = False,
    bundle: Annotated[str, typer.Option(help="A bundle's name or folder")] = "mini",
) -> None:
    """Measure the bundle against the bars of falco_rendered/bars.py; exit with 1 if one is missed."""
    from falco_rendered.bars import FULL, SAMPLE, measure_bars, table

    figures = list(measure_bars(bundle, FULL if full else SAMPLE))
    print(table(figures))
    if not all(figure.reached for figure in figures):
        raise typer.Exit(1)


def render(
    out: Annotated[Path, typer.Argument(help="Folder to write; must be new or empty")],
    people: Annotated[int, typer.Option(min=1, help="How many different people")] = 100,
    views: Annotated[int, typer.Option(min=1, help="Pictures of each")] = 4,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Pixels, side of a picture")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other people")] = 0,
) -> None:
    """Render a dataset of people who do not exist, in CelebA-HQ's folder layout (20 pictures a second on a core)."""
    from falco_rendered.dataset import People, write_dataset

    write_dataset(People(people, views, seed), out, size=size)
    print(f"dataset: {out}")
