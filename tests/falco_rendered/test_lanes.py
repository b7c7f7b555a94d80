"""`make bundle`, from nothing to a bundle in one command, in a trial's time."""

import subprocess
import sys
from pathlib import Path

import pytest

from falco_core.bundles.verify import verify_bundle
from falco_rendered.train.lanes import BUDGETS, RECIPES

ALL = (sys.executable, "-m", "falco_rendered.train", "all")


def train(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ALL, *map(str, options)], capture_output=True, text=True, timeout=500)


@pytest.mark.parametrize("name", BUDGETS)
def test_a_budget_has_time_and_a_place_for_every_recipe(name: str) -> None:
    budget = BUDGETS[name]
    assert set(budget.minutes) == set(RECIPES)
    assert sorted([each for lane in budget.lanes for each in lane] + ["encoder", "start"]) == sorted(RECIPES)
    assert all(minutes > 0 for minutes in budget.minutes.values())


def test_budgets_are_what_they_are_said_to_be() -> None:
    def total(name: str) -> float:
        budget = BUDGETS[name]
        return max(sum(budget.minutes[each] for each in lane) for lane in budget.lanes) + (
            budget.minutes["encoder"] + budget.minutes["start"]
        )

    assert 120 < total("cpu") < 240
    assert 20 < total("gpu") < 35


@pytest.mark.slow
def test_one_command_makes_a_bundle_from_nothing_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    options = ("--work", tmp_path / "work", "--budget", "trial", "--out", tmp_path / "bundle")
    done = train(*options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(check.ok for check in verify_bundle(tmp_path / "bundle"))
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("*.safetensors")}
    assert {path.stem for path in kept} == set(RECIPES) - {"start"}, "it is in the bundle alone"
    assert (tmp_path / "bundle" / "start.safetensors").is_file()
    (tmp_path / "work" / "probe.safetensors").unlink()
    assert train(*options).returncode == 0
    for path, time in kept.items():
        assert (path.stat().st_mtime_ns == time) == (path.stem != "probe"), path.name
