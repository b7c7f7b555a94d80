"""A little of `python -m tests.fuzz` on every run."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from falco_core.errors import UnreadablePhoto
from tests.fuzz import Hang, Target, mutated, targets, try_one

TARGETS = targets()


@pytest.mark.parametrize("name", TARGETS)
@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_inputs_are_read_or_refused(name: str, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    target = TARGETS[name]
    try_one(target, mutated(dice.choice(target.seeds), dice), tmp_path)


@pytest.mark.parametrize("name", TARGETS)
@given(st.binary(max_size=300))
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(name: str, tmp_path: Path, data: bytes) -> None:
    try_one(TARGETS[name], data, tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read(name: str, tmp_path: Path) -> None:
    for seed in TARGETS[name].seeds:
        try:
            TARGETS[name].read(seed, tmp_path)
        except UnreadablePhoto as error:
            assert "animated" in str(error)


def test_a_find_is_found(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        try_one(Target(lambda *_: 1 // 0, ()), b"", tmp_path)
    with pytest.raises(Hang), pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.fuzz.SECONDS", 0.05)
        try_one(Target(lambda *_: time.sleep(9), ()), b"", tmp_path)
