"""Batches on the workers of a Dask cluster: one of the stage's own on this machine, or one that is named."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import dask
import httpx
from distributed import Client, Future, KilledWorker, as_completed
from prefect.client.orchestration import get_client
from prefect.client.schemas import State
from prefect.context import FlowRunContext
from prefect.states import Cancelled
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from falco_core.errors import FalcoError, ParamsError, ProjectError, first_line
from falco_core.project.folder import Project
from falco_core.project.params import RunParams
from falco_core.project.work import Entry
from flows.dask_cluster import local_cluster
from flows.dask_worker import attempt, run_unit, tell
from flows.runners import BatchFailed, Sealed, Show, unit_task
from tasks.batches import Execute, KeyedStage, progress_line
from tasks.units import Unit, units_of

SECONDS = 10.0
"""In which a scheduler must answer."""
PATIENCE = 60.0
"""Seconds that a named cluster has to bring a worker that may be given work."""
SETTLING = 2.0
"""Seconds from a failure until every worker has said what it is at."""
ANOTHER = "another batch of the stage failed"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Dask:
    """The cluster that the parameters name, or one of the stage's own, started when there is something to compute."""

    run: RunParams

    @property
    def task_runner(self) -> TaskRunner[Any]:
        """Task runs on the workers, where these can reach the server."""
        if not self._server_in_reach:
            return ThreadPoolTaskRunner(max_workers=1)
        if self.run.dask_address is not None:
            return DaskTaskRunner(address=self.run.dask_address, client_kwargs={"timeout": SECONDS})
        own = {"workers": self.run.workers, "gpus": self.run.gpu_workers}
        return DaskTaskRunner(cluster_class=local_cluster, cluster_kwargs=own)  # type: ignore[arg-type]

    @contextmanager
    def plainly(self, show: Show | None = None) -> Iterator[Execute]:
        """Units as Dask's own tasks."""
        with ExitStack() as stack:
            clients: list[Client] = []

            def execute(keyed: KeyedStage, project: Project, batches: Sequence[list[Entry[Any]]]) -> None:
                if not clients:
                    clients.append(self._connected(lambda: stack.enter_context(self._client())))
                with self._resources():
                    units = units_of(keyed.stage.name, project, batches)
                    futures = {clients[0].submit(attempt, unit, pure=False): unit for unit in units}
                self._gather(clients[0], futures, partial(_say, keyed, show, len(batches)))

            yield execute

    def in_flow(self, show: Show) -> AbstractContextManager[Execute]:
        """Units as task runs on the workers; without any where these could not report to the server."""
        if not self._server_in_reach:
            return self.plainly(show)
        return nullcontext(partial(self._execute_in_flow, show))

    def _execute_in_flow(
        self, show: Show, keyed: KeyedStage, project: Project, batches: Sequence[list[Entry[Any]]]
    ) -> None:
        context = FlowRunContext.get()
        assert context is not None and isinstance(context.task_runner, DaskTaskRunner)
        runner = context.task_runner
        client = self._connected(lambda: runner.client)
        named = unit_task(keyed.stage.name, run_unit, self.run)
        with self._resources():
            units = units_of(keyed.stage.name, project, batches)
            submitted: list[Any] = [named.submit(Sealed(unit)) for unit in units]
        futures = {future.wrapped_future: unit for future, unit in zip(submitted, units, strict=True)}
        with _told(client, submitted):
            self._gather(client, futures, partial(_say, keyed, show, len(batches)))

    @property
    def _server_in_reach(self) -> bool:
        """A server on this machine's loopback, such as a run's own, cannot be reached by workers elsewhere."""
        address = self.run.dask_address
        server = urlsplit(os.environ.get("PREFECT_API_URL", "")).hostname
        return address is None or server not in _LOOPBACK or urlsplit(_url(address)).hostname in _LOOPBACK

    def _client(self) -> AbstractContextManager[Client]:
        if self.run.dask_address is not None:
            return Client(self.run.dask_address, set_as_default=False, timeout=SECONDS)
        return _client_of_own(self.run)

    def _resources(self) -> AbstractContextManager[Any]:
        return dask.annotate(resources={"GPU": 1}) if self.run.gpu_workers else nullcontext()  # type: ignore[attr-defined]

    def _connected(self, connect: Callable[[], Client]) -> Client:
        """A client of a cluster that has a worker for us; raises ParamsError."""
        # What goes wrong comes back as an error: Dask's own account of it would be pages.
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        address = self.run.dask_address
        if address is None:
            return connect()
        try:
            client = connect()
        except (OSError, ValueError) as error:
            raise ParamsError(
                f"run.dask_address: no Dask scheduler answers at {address} ({first_line(error)}): start one there, or "
                "set null, and each stage starts workers of its own"
            ) from None
        deadline = time.monotonic() + PATIENCE
        while not any(_fits(worker, self.run) for worker in client.scheduler_info(n_workers=-1)["workers"].values()):
            if time.monotonic() > deadline:
                wanted = ' that offers a GPU (`dask worker --resources "GPU=1"`)' if self.run.gpu_workers else ""
                raise ParamsError(f"run.dask_address: the scheduler at {address} has no worker{wanted}: start one")
            time.sleep(0.5)
        return client

    def _gather(self, client: Client, futures: Mapping[Future[Any], Unit], say: Callable[[int], None]) -> None:
        """Wait for all units, in the order in which they come; raises what the first that failed did."""
        done = 0
        for future in as_completed(futures, loop=client.loop):
            failed = self._outcome(future)
            if failed is not None:
                raise failed
            done += len(futures[future].batches)
            say(done)

    def _outcome(self, future: Future[Any]) -> BaseException | None:
        try:
            outcome = future.result()
            if isinstance(outcome, State):
                outcome = outcome.result(raise_on_failure=False, _sync=True)  # type: ignore[call-overload]
        except KilledWorker as error:
            return ProjectError(
                f"workers ended {error.allowed_failures + 1} times over the same batches, most likely for want of "
                "memory: lower run.workers or the batch sizes"
            )
        except FalcoError:
            raise
        except Exception as error:
            where = self.run.dask_address or "this machine"
            return ProjectError(
                f"the Dask cluster of {where} does not do its work ({first_line(error)}): see that it runs, and that "
                "its scheduler and its workers have the same falco as this run"
            )
        if isinstance(outcome, BatchFailed):
            return outcome.cause
        return outcome if isinstance(outcome, BaseException) else None


def _say(keyed: KeyedStage, show: Show | None, total: int, done: int) -> None:
    print(progress_line(keyed, done, total), flush=True)
    if show is not None:
        show(done, total)


@contextmanager
def _client_of_own(run: RunParams) -> Iterator[Client]:
    with (
        local_cluster(workers=run.workers, gpus=run.gpu_workers) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _told(client: Client, task_runs: Sequence[Any]) -> Iterator[None]:
    """Have the workers tell the server all that they have to tell before they end; cancel what is then not done."""
    try:
        yield
    except Exception:
        # What went wrong is worth more than what the server knows of it.
        with suppress(Exception):
            _cancel(client, [future for future in task_runs if not future.wrapped_future.done()])
        raise
    client.run(tell, on_error="ignore")


def _cancel(client: Client, task_runs: Sequence[Any]) -> None:
    client.cancel([future.wrapped_future for future in task_runs])
    # Workers may be about to begin, and to say so.
    time.sleep(SETTLING)
    client.run(tell, on_error="ignore")
    with get_client(sync_client=True) as server:
        for future in task_runs:
            # The server knows none that no worker has begun with.
            with suppress(httpx.HTTPStatusError):
                server.set_task_run_state(future.task_run_id, Cancelled(message=ANOTHER), force=True)


def _fits(worker: Mapping[str, Any], run: RunParams) -> bool:
    return not run.gpu_workers or float(worker["resources"].get("GPU", 0)) >= 1


def _url(address: str) -> str:
    return address if "://" in address else f"tcp://{address}"
