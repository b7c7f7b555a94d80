"""Items that failed: how many a stage may have, and how the next run knows that there is something to try again.

DVC takes a stage that ended well for done, and its run cache hands the result out again. So a failure is written into
pins.yaml, which every stage depends on: the next run, DVC's own included, finds that stage changed and computes what
failed, and only that.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from falco_core.errors import ProjectError
from falco_core.project.folder import Project
from falco_core.project.pins import mark_pins
from falco_core.project.stages import WITHHELD, Stage
from falco_core.reasons import Reason
from falco_core.store.artifact import read_table
from falco_core.store.rows import AlignedPhoto, ComposedPhoto, Withheld


def check_failed_share(project: Project, stage: Stage, rows: Iterable[AlignedPhoto | ComposedPhoto]) -> int:
    """How many of the `rows` are not withheld; raises ProjectError if more than one of them and more than
    `run.max_failed_share` of them failed.

    What is well is kept: the next run tries the others again.
    """
    failures, total, well = [], 0, 0
    for row in rows:
        total += 1
        well += row.reason is None
        if row.reason == Reason.FAILED:
            failures.append(row.detail)
    limit = project.params.run.max_failed_share
    if len(failures) > 1 and len(failures) > limit * total:
        raise ProjectError(
            f"{stage.name}: {len(failures)} of {total} photos failed, more than run.max_failed_share {limit:.1%}; "
            f"the first: {failures[0]}; run again to try them again"
        )
    return well


def mark_failures(project: Project) -> None:
    """Let pins.yaml tell which stages have failures in the present outcome, so that they are tried again."""
    failed = defaultdict(list)
    for row in read_table(project.path(WITHHELD), Withheld):
        if row.reason == Reason.FAILED:
            failed[row.stage].append(f"{row.photo} {row.detail}")
    mark_pins(project, {stage: _digest(rows) for stage, rows in failed.items()})


def _digest(rows: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()[:8]
