"""What a run says at its end: released, withheld and why, the contact sheet, the headline metrics."""

from falco_core.judges import Metrics
from falco_core.judges.gate import reservations
from falco_core.project.folder import Project
from falco_core.project.stages import METRICS, OUTCOMES, RELEASE, RELEASED, REPORT, SHEETS, WITHHELD
from falco_core.reasons import Reason
from falco_core.report.page import headline
from falco_core.store.artifact import read_table
from falco_core.store.rows import ReleasedPhoto, Withheld

HEADLINES = 5


def summarize(project: Project, *, released: bool) -> str:
    """The closing lines of a run; `released`: the gate was open."""
    metrics = Metrics.model_validate_json(project.path(METRICS).read_text(encoding="utf-8"))
    withheld = read_table(project.path(WITHHELD), Withheld)
    held_back = _held_back(project) if released else []
    photos = metrics.photos
    done = "released" if released else "could be released, but the gate is closed"
    count = photos.released - len(held_back), photos.withheld + len(held_back)
    lines = [f"\n{count[0]} of {photos.total} photos {done}, {count[1]} withheld"]
    lines += [f"  withheld: {row.photo}: {row.reason} ({row.detail})" for row in withheld]
    lines += [f"  withheld: {row.photo}: {Reason.CARRIES_MORE} ({row.findings})" for row in held_back]
    lines += [f"{name}: {value}" for name, value in headline(metrics)[1:HEADLINES]]
    lines += [f"note: {notice}" for notice in reservations(metrics, project.params.gate)]
    if released:
        lines.append(f"release:       {project.path(RELEASE)}")
        lines.append(f"names:         {project.path(RELEASED)}  (private: which photo has which name there)")
    lines += [
        f"look at:       {project.path(SHEETS)}  (private: shows originals; what most needs a look comes first)",
        f"report:        {project.path(REPORT)}  (private: shows originals)",
        f"every photo:   {project.path(OUTCOMES)}  (private: names photos)",
    ]
    return "\n".join(lines)


def _held_back(project: Project) -> list[ReleasedPhoto]:
    """What the release's audit did not let go."""
    return [row for row in read_table(project.path(RELEASED), ReleasedPhoto) if row.name is None]
