"""Conversion and loading at full size, within their limits."""

from pathlib import Path

import pytest

from benchmarks.models import measure

pytestmark = pytest.mark.slow


def test_full_size_files_convert_and_load_within_limits(tmp_path: Path) -> None:
    encoder, everything, loading = measure(tmp_path)
    assert encoder.peak_mb < 3000
    assert everything.peak_mb < 3000
    assert loading.seconds < 3.0
    # The files are 2.0 GB: what is private is objects, not weights.
    assert loading.private_mb < 200
