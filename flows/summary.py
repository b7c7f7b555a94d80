"""What a run says at its end: released, withheld and why, the contact sheet, the headline metrics."""

from falco_core.judges import Metrics
from falco_core.report.page import headline
from falco_core.tables import WITHHELD, read_table
from tasks.project import Project
from tasks.stages import METRICS, RELEASE, REPORT, SHEET
from tasks.stages import WITHHELD as WITHHELD_TABLE

HEADLINES = 4


def summarize(project: Project) -> str:
    """The closing lines of a run."""
    metrics = Metrics.model_validate_json(project.path(METRICS).read_text(encoding="utf-8"))
    withheld = read_table(project.path(WITHHELD_TABLE), WITHHELD)
    photos = metrics.photos
    lines = [f"\n{photos.released} of {photos.total} photos released, {photos.withheld} withheld"]
    lines += [f"  withheld: {row['photo']}: {row['reason']} ({row['detail']})" for row in withheld]
    lines += [f"{name}: {value}" for name, value in headline(metrics)[1:HEADLINES]]
    lines += [
        f"release:       {project.path(RELEASE)}",
        f"contact sheet: {project.path(SHEET)}  (private: shows originals)",
        f"report:        {project.path(REPORT)}  (private: shows originals)",
    ]
    return "\n".join(lines)
