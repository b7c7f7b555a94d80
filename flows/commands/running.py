"""A run as a user sees it: what is checked before, what is shown meanwhile, what is said in the end."""

import threading
from pathlib import Path
from typing import Any

from falco_core.errors import NothingReleased
from falco_core.project.folder import Project
from falco_core.project.standing import restore_release


def run_project(out: Path, photos: Path | None, changes: dict[str, Any]) -> None:
    """Bring a project up to date and print its summary; photos: None for those it has.

    Raises FalcoError, of whatever went wrong; NothingReleased if every photo is withheld.
    """
    from falco_core.project.holding import check_dvc, holding
    from flows.project import check_bundle, check_photos, make_root, plan_project, write_project
    from flows.server import prefect_world

    root = out.resolve()
    check_photos(plan_project(root, photos=photos, changes=changes))
    make_root(root)
    with holding(root):
        check_dvc(root)
        plan = plan_project(root, photos=photos, changes=changes)
        write_project(plan)
        check_bundle(plan.project)
        with prefect_world(root):
            _run(plan.project)


def _run(project: Project) -> None:
    from flows.anonymize_dataset import StageFailed
    from flows.summary import released_photos, summarize

    try:
        _reproduce(project)
    except StageFailed as error:
        restore_release(project.root)
        if error.stage == "gate" and error.exit_code == NothingReleased.exit_code:
            # The gate is closed: what was found out is worth reading all the same.
            print(summarize(project, released=False))
        raise
    print(summarize(project, released=True))
    if released_photos(project) == 0:
        raise NothingReleased("every photo is withheld: nothing is released")


def _reproduce(project: Project) -> None:
    """Run the flow in a thread of its own: the main one stays free for signals, and Prefect takes none for itself."""
    from flows.anonymize_dataset import anonymize_dataset
    from flows.children import stop_children
    from flows.progress import shown

    errors: list[BaseException] = []

    def work() -> None:
        try:
            anonymize_dataset(project.root)
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=work, daemon=True)
    try:
        with shown():
            worker.start()
            while worker.is_alive():
                worker.join(0.2)
    except BaseException:
        stop_children()
        raise
    if errors:
        raise errors[0]
