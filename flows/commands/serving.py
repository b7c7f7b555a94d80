"""`falco serve`: one machine's own Prefect server, and a runner for its projects."""

import os
import signal
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import platformdirs
from cronsim import CronSim, CronSimError

from falco_core.errors import FalcoError, shown
from falco_core.files import make_private
from falco_core.project.folder import Project
from flows.server import standing_world


def serve_here(projects: Sequence[Path], cron: str | None, port: int, home: Path | None) -> None:
    """Serve until a signal ends it; raises FalcoError for what is no project, no schedule, or a port in use."""
    roots = [Project.open(project).root for project in projects]
    if cron is not None:
        _check_cron(cron)
    home = (home or platformdirs.user_data_path("falco") / "server").resolve()
    make_private(home)
    with standing_world(home, port) as password:
        _say(roots, cron, home, password)
        # Imports Prefect, which looks at its settings then.
        from flows.deployments import serve_projects

        # Prefect ends its runs, and what these started, in its own way.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        serve_projects(roots, cron)


def _check_cron(cron: str) -> None:
    try:
        CronSim(cron, datetime.now())
    except CronSimError:
        raise FalcoError(f'--cron {shown(cron)}: no schedule: "0 3 * * *" is every night at three') from None


def _say(roots: Sequence[Path], cron: str | None, home: Path, password: str | None) -> None:
    url = os.environ["PREFECT_API_URL"].removesuffix("/api")
    print(f"server: {url}" + (f"  (its password is in {home / 'password'})" if password else ""))
    for root in roots:
        print(f"project: {root}" + (f", refreshed at {cron}" if cron else ""))
    print("end with Ctrl-C", flush=True)
