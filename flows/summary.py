"""What a run says at its end: released, withheld and why, the contact sheet, the headline metrics."""

from falco_core.judges import Metrics
from falco_core.judges.gate import reservations
from falco_core.project.folder import Project
from falco_core.project.stages import METRICS, OUTCOMES, RELEASE, REPORT, SHEETS, WITHHELD
from falco_core.report.page import headline
from falco_core.store.artifact import read_table
from falco_core.store.rows import Withheld

HEADLINES = 5


def summarize(project: Project, *, released: bool) -> str:
    """The closing lines of a run; `released`: the gate was open."""
    metrics = Metrics.model_validate_json(project.path(METRICS).read_text(encoding="utf-8"))
    withheld = read_table(project.path(WITHHELD), Withheld)
    photos = metrics.photos
    done = "released" if released else "could be released, but the gate is closed"
    lines = [f"\n{photos.released} of {photos.total} photos {done}, {photos.withheld} withheld"]
    lines += [f"  withheld: {row.photo}: {row.reason} ({row.detail})" for row in withheld]
    lines += [f"{name}: {value}" for name, value in headline(metrics)[1:HEADLINES]]
    lines += [f"note: {notice}" for notice in reservations(metrics, project.params.gate)]
    if released:
        lines.append(f"release:       {project.path(RELEASE)}")
    lines += [
        f"look at:       {project.path(SHEETS)}  (private: shows originals; what most needs a look comes first)",
        f"report:        {project.path(REPORT)}  (private: shows originals)",
        f"every photo:   {project.path(OUTCOMES)}  (private: names photos)",
    ]
    return "\n".join(lines)
