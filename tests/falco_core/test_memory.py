"""How much memory there is: no more than a container's limit leaves, whatever the machine has."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from falco_core.memory import available

GIB = 1024**3


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=16 * GIB))


def group(folder: Path, *, limit: str, used: str, maximum: object, now: int, stat: str) -> Path:
    (folder / limit).parent.mkdir(parents=True, exist_ok=True)
    (folder / limit).write_text(f"{maximum}\n")
    (folder / used).write_text(f"{now}\n")
    (folder / limit).with_name("memory.stat").write_text(f"anon 5\n{stat}\n")
    return folder


VERSION_2 = {"limit": "memory.max", "used": "memory.current"}
VERSION_1 = {"limit": "memory/memory.limit_in_bytes", "used": "memory/memory.usage_in_bytes"}


def test_a_machine_without_groups_has_what_it_has(tmp_path: Path) -> None:
    assert available(tmp_path) == 16 * GIB


@pytest.mark.parametrize(
    ("names", "stat"), [(VERSION_2, f"inactive_file {GIB}"), (VERSION_1, f"total_inactive_file {GIB}")]
)
def test_a_containers_limit_counts_and_files_that_can_be_read_again_do_not(
    names: dict[str, str], stat: str, tmp_path: Path
) -> None:
    assert available(group(tmp_path, **names, maximum=8 * GIB, now=5 * GIB, stat=stat)) == 4 * GIB


@pytest.mark.parametrize("maximum", ["max", 2**63 - 4096])
def test_a_container_without_a_limit_has_what_the_machine_has(maximum: object, tmp_path: Path) -> None:
    assert available(group(tmp_path, **VERSION_2, maximum=maximum, now=GIB, stat="inactive_file 0")) == 16 * GIB


def test_a_full_container_has_nothing(tmp_path: Path) -> None:
    assert available(group(tmp_path, **VERSION_2, maximum=GIB, now=2 * GIB, stat="inactive_file 0")) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("settings", "kept"), [({}, True), ({"MALLOC_TRIM_THRESHOLD_": "131072"}, False)])
def test_freed_blocks_are_kept_while_there_is_work_and_given_back_after_it(
    settings: dict[str, str], kept: bool
) -> None:
    code = """
import psutil, torch
from falco_core.parallel import one_thread
def resident(): return psutil.Process().memory_info().rss / 2**20
before = resident()
with one_thread():
    torch.ones(64, 2**20); print(resident() - before)
print(resident() - before)
"""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    inside, after = map(float, done.stdout.split())
    assert (inside > 200) is kept
    assert after < 100
