"""What is no photo's fault, what is tried again, and when a stage gives up."""

import errno
from pathlib import Path

import pytest
import yaml

from falco_core.errors import ProjectError
from falco_core.project.failures import check_failed_share, mark_failures
from falco_core.project.folder import Project
from falco_core.project.params import parse_params
from falco_core.project.pins import check_pins, pins, write_pins
from falco_core.project.stages import WITHHELD, stage_named
from falco_core.reasons import Reason, failure_of
from falco_core.store.artifact import write_table
from falco_core.store.rows import AlignedPhoto, Withheld


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, parse_params({"input": {"photos": "photos"}}, source="x"))
    write_pins(made)
    return made


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 800 bytes"),
        Exception("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"),
    ],
)
def test_too_little_memory_is_no_photos_fault(error: Exception) -> None:
    with pytest.raises(MemoryError):
        failure_of(error)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EROFS, errno.EFBIG])
def test_a_full_disk_is_no_photos_fault(number: int) -> None:
    with pytest.raises(OSError, match="full"):
        failure_of(OSError(number, "full"))


def test_what_is_a_photos_own_is_one_line() -> None:
    assert failure_of(ValueError("odd\nphoto")).startswith("ValueError: odd photo (20")


def rows(failed: int, well: int) -> list[AlignedPhoto]:
    broken = AlignedPhoto(0, 0, Reason.FAILED, "ValueError: odd")
    return [broken] * failed + [AlignedPhoto(9, 9, None, "")] * well


@pytest.mark.parametrize(("failed", "well"), [(0, 0), (1, 0), (1, 2), (10, 90)])
def test_few_failures_are_withheld(project: Project, failed: int, well: int) -> None:
    check_failed_share(project, stage_named("align"), rows(failed, well))


@pytest.mark.parametrize(("failed", "well"), [(2, 0), (2, 10), (11, 89)])
def test_many_failures_fail_the_stage(project: Project, failed: int, well: int) -> None:
    with pytest.raises(ProjectError, match=f"{failed} of {failed + well} photos failed.*ValueError: odd"):
        check_failed_share(project, stage_named("align"), rows(failed, well))


def outcome(project: Project, *withheld: Withheld) -> str:
    write_table(project.path(WITHHELD), withheld, Withheld)
    mark_failures(project)
    return (project.root / "pins.yaml").read_text()


def test_dvc_finds_a_stage_changed_whenever_something_failed_anew(project: Project) -> None:
    fresh = (project.root / "pins.yaml").read_text()
    assert outcome(project, Withheld("a.jpg", "align", Reason.UNDECODABLE, "no photo")) == fresh
    first = outcome(project, Withheld("a.jpg", "align", Reason.FAILED, "ValueError: odd (10:00)"))
    changed = {stage for stage, pin in yaml.safe_load(first).items() if pin != pins(project)[stage]}
    assert changed == {"align"}
    assert outcome(project, Withheld("a.jpg", "align", Reason.FAILED, "ValueError: odd (10:00)")) == first
    again = outcome(project, Withheld("a.jpg", "align", Reason.FAILED, "ValueError: odd (11:00)"))
    assert again != first
    # Once it went well nothing is left to do: the mark stays, for to take it away would be a change.
    assert outcome(project) == again
    write_pins(project)
    assert (project.root / "pins.yaml").read_text() == again
    check_pins(project, stage_named("align"))


def test_pins_that_are_no_pins_are_refused(project: Project) -> None:
    for text in ("[", "align: [x]", "align: +x", "- align"):
        (project.root / "pins.yaml").write_text(text)
        with pytest.raises(ProjectError, match="falco init"):
            check_pins(project, stage_named("align"))
