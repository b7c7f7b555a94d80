"""gate: whether the dataset may be released at all.

in: reports/metrics.json    out: reports/gate.json (what an open gate does not prove)
"""

import json

from falco_core.errors import GateError, ProjectError
from falco_core.files import open_regular, write_text
from falco_core.judges import Metrics, violations
from falco_core.judges.gate import reservations
from falco_core.project.folder import Project
from falco_core.project.stages import GATE, METRICS, stage_named
from tasks.batches import Execute, StageReport

STAGE = stage_named("gate")


def run(project: Project, execute: Execute) -> StageReport:
    """Hold the metrics against the limits; raises GateError, and then the last release stays as it is."""
    del execute
    metrics, limits = read_metrics(project), project.params.gate
    if broken := violations(metrics, limits):
        raise GateError(f"the gate is closed, nothing is released: {'; '.join(broken)}")
    text = json.dumps({"open": True, "not_proven": reservations(metrics, limits)}, indent=2)
    write_text(project.path(GATE), text + "\n")
    return StageReport(STAGE.name, 1, 1)


def read_metrics(project: Project) -> Metrics:
    """reports/metrics.json; raises ProjectError."""
    path = project.path(METRICS)
    try:
        with open_regular(path) as file:
            text = file.read().decode("utf-8")
        if "NaN" in text or "Infinity" in text:
            raise ValueError("no numbers")  # that compare with a limit; falco writes null for them
        return Metrics.model_validate_json(text)
    except FileNotFoundError:
        raise ProjectError(f"{path} is missing: run the stage that makes it (`dvc repro`)") from None
    except (OSError, ValueError):
        raise ProjectError(f"{path} is not what validate wrote: run `dvc repro --force validate`") from None
