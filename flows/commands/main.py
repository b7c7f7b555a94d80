"""The `falco` command."""

import atexit
import errno
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

import typer

from falco_core.errors import FalcoError, one_line
from flows.commands import data, models, rendered, run
from flows.interrupts import Interrupted, interruptible, leave

MOST_SAID = 1200
"""Characters of an error's line: a name or a message of others may be of any length."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Anonymize the faces of an image dataset, reproducibly."
)
_PROJECTS = (run.run, run.demo, run.refresh, run.serve, run.init, rendered.render, run.stage)
_KEPT = (data.show, data.audit, data.forget, data.gc)
for command in (*_PROJECTS, *_KEPT):
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(rendered.app, name="bundle")


@app.command()
def doctor() -> None:
    """Say what is installed, which device is used, which bundles there are, and what is missing."""
    # Imports torch: seconds that the other commands need not spend.
    from flows.commands.doctor import report

    report()


def entry() -> None:
    """Entry point of the installed command: `main`, and an end that no library's thread can turn into an abort.

    When Python takes itself apart, a thread that waits in C++ now and then calls std::terminate, and a stage that was
    done would count as failed. So the process ends as soon as everything that wanted to be told has been told.
    """
    code = 0

    def end() -> None:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    atexit.register(end)  # before the libraries' own, so that it is called after them
    try:
        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise


def main() -> None:
    """One line instead of a traceback, and an exit code (README) that says what kind of end it was."""
    try:
        with interruptible():
            app()
    except Interrupted as error:
        leave(error)
    except FalcoError as error:
        _end(error.line, error.exit_code)
    except BrokenPipeError:
        # Whoever read the output has gone: so has whoever would read of it.
        os._exit(141)
    except MemoryError as error:
        _end(f"{error or 'too little memory'}: close other programs, or lower the batch sizes in params.yaml", 2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        what = "the disk takes no more, make room: " if error.errno in _FULL else ""
        _end(f"{where}{what}{error.strerror or error}", 2)
    except Exception as error:
        _end(f"{type(error).__name__}, which nobody expected: {_written()} says where (private: it may name photos)", 1)


def _end(message: str, code: int) -> None:
    line = one_line(message)
    print(f"falco: {line if len(line) <= MOST_SAID else line[:MOST_SAID] + '…'}", file=sys.stderr)
    sys.exit(code)


def _written() -> Path:
    """The traceback in a file that only its owner can read."""
    handle, path = tempfile.mkstemp(prefix="falco-", suffix=".log")
    with os.fdopen(handle, "w", errors="replace") as file:
        traceback.print_exc(file=file)
    return Path(path)
