"""`falco bundle`: how good a bundle of the rendered world is."""

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
    """Measure every figure of docs/mini-bundle.md that has a bar; exit with 1 if one is below it."""
    from falco_core.rendered.bars import FULL, SAMPLE, measure_bars, table

    figures = list(measure_bars(bundle, FULL if full else SAMPLE))
    print(table(figures))
    if not all(figure.reached for figure in figures):
        raise typer.Exit(1)
