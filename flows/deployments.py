"""The deployments of projects, served from one machine: runs by hand, and a refresh on a schedule."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType

from flows.anonymize_dataset import anonymize_dataset
from flows.refresh_dataset import refresh_dataset
from flows.ui import name_of

ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)


def deployments_of(root: Path, cron: str | None) -> Iterator[RunnerDeployment]:
    """A project's deployments, anonymize-dataset/NAME and refresh-dataset/NAME; cron: when it is refreshed."""
    for flow, when in ((anonymize_dataset, None), (refresh_dataset, cron)):
        deployment = flow.to_deployment(
            name_of(root),
            cron=when,
            parameters={"project": str(root)},
            concurrency_limit=ONE_AT_A_TIME,
            entrypoint_type=EntrypointType.MODULE_PATH,
            tags=["falco"],
        )
        yield cast(RunnerDeployment, deployment)  # outside of coroutines it is one at once


def serve_projects(roots: Sequence[Path], cron: str | None) -> None:
    """Wait for runs of the projects' deployments, and run them, one at a time; until this process is ended."""
    deployments = [each for root in roots for each in deployments_of(root, cron)]
    serve(*deployments, limit=1, print_starting_message=False)
