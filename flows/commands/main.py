"""The `falco` command."""

import sys

import typer

from falco_core.errors import FalcoError
from flows.commands import data, models, rendered, run

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Anonymize the faces of an image dataset, reproducibly."
)
for command in (run.run, run.demo, run.init, rendered.render, run.stage, data.show, data.audit, data.forget, data.gc):
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(rendered.app, name="bundle")


@app.command()
def doctor() -> None:
    """Say what is installed, which device is used, which bundles there are, and what is missing."""
    # Imports torch: seconds that the other commands need not spend.
    from flows.commands.doctor import report

    report()


def main() -> None:
    """Entry point: one line instead of a traceback for what a user can mend."""
    try:
        app()
    except FalcoError as error:
        print(f"falco: {error}", file=sys.stderr)
        sys.exit(2)
