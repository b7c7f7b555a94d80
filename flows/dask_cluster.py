"""A Dask cluster of one stage's own: on this machine's loopback, shut to other users, gone with the stage."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Nanny, Scheduler, Security, SpecCluster

_SETTINGS: dict[str, list[str]] = {
    # The pages that Dask's processes show of their tasks, to whoever asks.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@contextmanager
def local_cluster(workers: int, gpus: bool) -> Iterator[SpecCluster]:
    """A cluster of `workers` processes that each compute one unit at a time; with `gpus` each offers GPU=1."""
    here: dict[str, Any] = {
        "host": "127.0.0.1",
        "protocol": "tls://",
        # Whoever reaches a scheduler can run code: on loopback, every user of this machine.
        "security": Security.temporary(),
        "dashboard": False,
        "dashboard_address": "127.0.0.1:0",
    }
    with TemporaryDirectory(prefix="falco-dask-") as scratch, dask.config.set(_SETTINGS):
        cluster = SpecCluster(
            scheduler={"cls": Scheduler, "options": here},
            workers={
                number: {"cls": Nanny, "options": {**here, **_worker(number, workers, scratch, gpus)}}
                for number in range(workers)
            },
            security=here["security"],
            silence_logs=logging.WARNING,
        )
        try:
            yield cluster
        finally:
            cluster.sync(_end_workers, cluster)
            cluster.close()


def _worker(number: int, workers: int, scratch: str, gpus: bool) -> dict[str, Any]:
    """What makes one worker."""
    threads = str(max(1, CPU_COUNT // workers))
    env = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    if gpus and len(found := _gpus()) > 1:
        env["CUDA_VISIBLE_DEVICES"] = found[number % len(found)]
    return {
        "nthreads": 1,
        # No limit: Dask would stop a worker for what it takes to hold networks, and spill inputs to a disk.
        "memory_limit": 0,
        "local_directory": scratch,
        "resources": {"GPU": 1} if gpus else None,
        "env": env,
        "silence_logs": logging.WARNING,
    }


async def _end_workers(cluster: SpecCluster) -> None:
    """Whatever they are busy with: what is done is kept, and an interrupt does not wait."""
    nannies = list(cluster.workers.values())
    for nanny in nannies:
        if nanny.pid:
            os.kill(nanny.pid, signal.SIGKILL)
    await asyncio.gather(*(nanny.close() for nanny in nannies), return_exceptions=True)


def _gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return visible.split(",")
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
