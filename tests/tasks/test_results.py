"""A stage whose results change has another version: else projects would keep results that this falco does not make."""

import json

import pytest

from falco_core.project.stages import stage_named
from tests.tasks.results import FILE, RESULTS, differs, measure

KEPT = json.loads(FILE.read_text())


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    return measure(tmp_path_factory.mktemp("results"))


@pytest.mark.parametrize("name", list(RESULTS))
def test_results_change_with_the_version_and_only_then(name: str, now: dict[str, dict[str, object]]) -> None:
    assert KEPT[name]["version"] == stage_named(name).version, "run `python -m tests.tasks.results`"
    numbers = now[name]["numbers"]
    assert isinstance(numbers, list) and len(numbers) >= 4
    message = f"{name} makes other results: raise its version in project/stages.py, then run tests.tasks.results"
    assert not differs(KEPT[name]["numbers"], numbers), message


def test_the_comparison_can_fail() -> None:
    numbers = [1.0, 250.0, 0.001]
    assert not differs(numbers, [1.0001, 250.1, 0.001])
    assert differs(numbers, [1.01, 250.0, 0.001])
    assert differs(numbers, [1.0, 250.0])
