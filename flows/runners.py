"""Who computes a stage's batches where a server watches (`run.runner`): the stage's own process, or the workers of a
Dask cluster.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import count
from typing import Any, Protocol

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from falco_core.project.folder import Project, best_device
from falco_core.project.params import RunParams
from falco_core.project.work import Entry
from tasks.batches import Execute, KeyedStage, progress_line
from tasks.units import Unit, compute, units_of

Show = Callable[[int, int], None]
"""Is told in the flow's own thread, after each unit, how many batches of how many are done."""


class BatchFailed(Exception):
    """What a server is told of an error. The error itself may name photos: it is kept here, and goes to no server."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__("a batch failed: the project's own log says why")
        self.cause = cause

    def __reduce__(self) -> tuple[object, ...]:
        return BatchFailed, (self.cause,)


class Sealed:
    """A unit as Prefect passes it on: into a dataclass it would look, field by field and several times."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit


class Runner(Protocol):
    """Runs the batches of one stage, as task runs."""

    @property
    def task_runner(self) -> TaskRunner[Any]:
        """What the stage's flow runs its task runs with."""

    def in_flow(self, show: Show) -> AbstractContextManager[Execute]:
        """Inside a flow with `task_runner`: each unit is a task run."""


class Threads:
    """In this process, one batch at a time: each already uses all cores or the whole GPU."""

    @property
    def task_runner(self) -> TaskRunner[Any]:
        """One thread."""
        return ThreadPoolTaskRunner(max_workers=1)

    def in_flow(self, show: Show) -> AbstractContextManager[Execute]:
        """One after the other in a thread of the flow, with a line of progress for each batch."""
        return nullcontext(partial(_execute_in_flow, show))


def runner_for(run: RunParams) -> Runner:
    """The runner that the parameters name."""
    if run.runner == "threads":
        return Threads()
    # Dask takes a second to import.
    from flows.dask_runner import Dask

    return Dask(run)


def unit_task(name: str, function: Callable[[Sealed], None], run: RunParams) -> Task[[Sealed], None]:
    """The function as a Prefect task that stores nothing: what is done is kept by the function itself.

    Tagged `falco-gpu` where it uses one: the server can limit how many of these run at a time.
    """
    tags = {"falco-gpu"} if run.gpu_workers or best_device() == "cuda" else set()
    return task(name=name, cache_policy=NO_CACHE, persist_result=False, tags=tags)(function)


def _execute_in_flow(show: Show, keyed: KeyedStage, project: Project, batches: Sequence[list[Entry[Any]]]) -> None:
    done = count(1)

    def computed(sealed: Sealed) -> None:
        try:
            for _ in compute(sealed.unit):
                print(progress_line(keyed, next(done), len(batches)), flush=True)
            return
        except Exception as error:
            failed = BatchFailed(error)
        # Outside of the handler: an exception that is raised in it brings the first one along.
        raise failed

    named = unit_task(keyed.stage.name, computed, project.params.run)
    units = units_of(keyed.stage.name, project, batches)
    finished = 0
    try:
        for unit, future in zip(units, [named.submit(Sealed(unit)) for unit in units], strict=True):
            future.result()
            finished += len(unit.batches)
            show(finished, len(batches))
    except BatchFailed as error:
        raise error.cause or error from None
