"""A run as a user sees it: what is checked before, what is shown meanwhile, what is said in the end."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from falco_core.errors import NothingReleased
from falco_core.project.folder import Project
from falco_core.project.standing import restore_release


def run_project(out: Path, photos: Path | None, changes: Mapping[str, Any]) -> None:
    """Bring a project up to date and print its summary; photos: None for those it has.

    A server is started only if there is something to do. Raises FalcoError, of whatever went wrong; NothingReleased if
    every photo is withheld.
    """
    from flows.project import prepared
    from flows.reproduction import changed_stages
    from flows.server import prefect_world

    with prepared(out, photos, changes) as project:
        if changed_stages(project.root):
            with prefect_world(project.root):
                _run(project, _anonymize)
        else:
            print("nothing is new: every stage is up to date")
        _conclude(project)


def refresh_project(root: Path) -> None:
    """Make a new version of a project's dataset if anything is new, and say which; raises FalcoError."""
    from flows.project import prepared
    from flows.server import prefect_world

    with prepared(root, None, {}) as project, prefect_world(project.root):
        said: list[str] = []
        _run(project, lambda root: said.append(_refresh(root)))
        print("\n".join(said))


def _anonymize(root: Path) -> None:
    from flows.anonymize_dataset import anonymize_dataset

    anonymize_dataset(root)


def _refresh(root: Path) -> str:
    from flows.refresh_dataset import refresh_dataset

    return str(refresh_dataset(root))


def _run(project: Project, flow: Callable[[Path], None]) -> None:
    from flows.reproduction import StageFailed
    from flows.summary import summarize

    try:
        _in_a_thread(flow, project.root)
    except StageFailed as error:
        restore_release(project.root)
        if error.stage == "gate" and error.exit_code == NothingReleased.exit_code:
            # The gate is closed: what was found out is worth reading all the same.
            print(summarize(project, released=False))
        raise


def _conclude(project: Project) -> None:
    from flows.summary import released_photos, summarize

    print(summarize(project, released=True))
    if released_photos(project) == 0:
        raise NothingReleased("every photo is withheld: nothing is released")


def _in_a_thread(flow: Callable[[Path], None], root: Path) -> None:
    """Run the flow in a thread of its own: the main one stays free for signals, and Prefect takes none for itself."""
    from flows.children import stop_children
    from flows.progress import shown

    errors: list[BaseException] = []

    def work() -> None:
        try:
            flow(root)
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
