"""What a Dask worker does: compute one unit, and bring back what went wrong."""

import pickle
import traceback
from typing import Any

from distributed import Event

from flows.runners import BatchFailed, Sealed
from tasks.units import Unit, compute

SECONDS = 5.0
"""For which a server is waited for that does not take what it is told."""


def run_unit(sealed: Sealed) -> None:
    """Compute and keep the unit's batches, as the body of a task run; raises BatchFailed."""
    if failed := attempt(sealed.unit):
        raise failed


def attempt(unit: Unit) -> BatchFailed | None:
    """Compute and keep the unit's batches; returns what went wrong: Dask would log the arguments of what raises."""
    # Where a worker was lost the scheduler gives its unit to another one, which finds the event set.
    begun = Event(f"falco-{unit.id}")
    again = begun.is_set()
    begun.set()
    try:
        for _ in compute(unit, again=again):
            pass
    except Exception as error:
        return BatchFailed(portable(error))
    finally:
        begun.clear()
    return None


async def tell() -> None:
    """Send what this worker's task runs have to say, and is not sent yet, to the Prefect server."""
    from prefect.events.worker import EventsWorker

    waiting: Any = EventsWorker.drain_all(timeout=SECONDS, at_exit=False)
    await waiting


def portable(error: Exception) -> Exception:
    """The error with its traceback as a note, as it can be sent to another process."""
    note = "On the worker:\n" + "".join(traceback.format_exception(error))
    error.add_note(note)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
        error.add_note(note)
    return error
