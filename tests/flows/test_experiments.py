"""DVC's own experiments, metrics and plots on a falco project, as its documentation has them."""

import json
import shutil
from pathlib import Path

import pytest

from tests.flows.runs import Run, call

MARGINS = ("0.0", "0.25", "0.5")


@pytest.fixture
def committed(run: Run, tmp_path: Path) -> Path:
    """A copy of a finished project, committed to git."""
    project = Path(shutil.copytree(run.project, tmp_path / "project", symlinks=True))
    for command in (
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first"),
    ):
        assert call("git", *command, cwd=project).returncode == 0
    return project


def test_metrics_params_and_plots_of_two_states_are_compared(committed: Path, tmp_path: Path) -> None:
    changed = call("falco", "init", committed, "-S", "validate.sheet_photos=3", cwd=tmp_path)
    assert changed.returncode == 0, changed.stderr
    assert "validate.sheet_photos" in call("dvc", "params", "diff", cwd=committed).stdout
    shown = json.loads(call("dvc", "metrics", "show", "--json", cwd=committed).stdout)
    assert shown[""]["data"]["reports/metrics.json"]["data"]["photos"]["released"] > 0
    metrics = committed / "reports/metrics.json"
    text = metrics.read_text()
    metrics.unlink()
    metrics.write_text(text.replace('"total": ', '"total": 1'))
    compared = json.loads(call("dvc", "metrics", "diff", "--json", cwd=committed).stdout)
    assert compared["reports/metrics.json"]["photos.total"]["diff"] > 0
    plots = call("dvc", "plots", "diff", "HEAD", "--out", tmp_path / "plots", cwd=committed)
    assert plots.returncode == 0, plots.stderr
    page = (tmp_path / "plots/index.html").read_text()
    assert "similarity" in page
    assert "privacy_utility" in page


@pytest.mark.slow
def test_three_margins_are_three_experiments_and_nothing_before_them_runs_again(
    committed: Path, tmp_path: Path
) -> None:
    wanted = f"anonymize.margin={','.join(MARGINS)}"
    queued = call("dvc", "exp", "run", "--queue", "-S", wanted, cwd=committed)
    assert queued.returncode == 0, queued.stderr
    done = call("dvc", "exp", "run", "--run-all", cwd=committed)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
    assert not {"align", "invert", "sample", "pair"} & set(ran)
    assert ran.count("anonymize") == len(MARGINS)
    table = call("dvc", "exp", "show", "--csv", cwd=committed).stdout
    header, *rows = (line.split(",") for line in table.splitlines())
    margins = [row[header.index("anonymize.margin")] for row in rows if row[header.index("rev")] not in ("", "HEAD")]
    assert {float(margin) for margin in margins} >= {float(margin) for margin in MARGINS}
    names = [row[header.index("Experiment")] for row in rows if row[header.index("Experiment")]]
    plots = call("dvc", "plots", "diff", *names, "--out", tmp_path / "plots", cwd=committed)
    assert plots.returncode == 0, plots.stderr
    page = (tmp_path / "plots/index.html").read_text()
    assert all(name in page for name in names)
