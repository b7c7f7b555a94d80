"""A new version of a dataset, if anything is new: found, made, committed and tagged."""

from pathlib import Path

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed

from falco_core.project.folder import Project
from flows.anonymize_dataset import PATIENCE, bring_up_to_date, nameless
from flows.project import prepared
from flows.reproduction import changed_stages
from flows.ui import key_of
from flows.versions import Version, check_git, is_version, latest_tag, make_version


@flow(name="refresh-dataset", persist_result=False)
def refresh_dataset(project: Path) -> State[str]:
    """Make a new version of a project's dataset; ends `Unchanged` if no photo, parameter or network is new.

    Args:
        project: The project folder, in a git repository, on the machine that runs this.
    """
    with nameless(), prepared(project, None, {}, patience=PATIENCE) as opened:
        check_git(opened.root)
        before = latest_tag(opened.root)
        if before is not None and not changed_stages(opened.root) and is_version(opened.root, before):
            return _end("Unchanged", f"nothing is new since {before}")
        bring_up_to_date(opened)
        if before is not None and is_version(opened.root, before):
            return _end("Unchanged", f"looked again at what had failed: nothing is new since {before}")
        version = make_version(opened, before)
        _show(opened, version)
        return _end("Completed", str(version))


def _end(name: str, said: str) -> State[str]:
    get_run_logger().info(said)
    return Completed(name=name, message=said, data=said)


def _show(project: Project, version: Version) -> None:
    create_markdown_artifact(version.message, key=key_of(project.root, "version"), description=version.tag)
