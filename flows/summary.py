"""What a run says at its end: released, withheld and why, what was passed over, where to look, the headline metrics."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from falco_core.errors import printable
from falco_core.judges.gate import reservations
from falco_core.photos.folder import PassedOver
from falco_core.project.folder import Project
from falco_core.project.places import lines_of
from falco_core.project.stages import OUTCOMES, PASSED_OVER, RELEASE, RELEASED, REPORT, SHEETS, WITHHELD
from falco_core.reasons import Reason
from falco_core.report.page import headline
from falco_core.store.artifact import read_table
from falco_core.store.rows import ReleasedPhoto, Withheld
from tasks.gate import read_metrics

HEADLINES = 5
MOST_NAMED = 10
"""Withheld photos of one reason that are named; the table names all."""


def released_photos(project: Project) -> int:
    """How many photos are released: what the audit held back is not."""
    return sum(row.name is not None for row in read_table(project.path(RELEASED), ReleasedPhoto))


def summarize(project: Project, *, released: bool) -> str:
    """The closing lines of a run; `released`: the gate was open."""
    metrics = read_metrics(project)
    photos, held_back = metrics.photos, _held_back(project) if released else []
    done = "released" if released else "could be released, but the gate is closed"
    count = photos.released - len(held_back), photos.withheld + len(held_back)
    lines = ["", f"{count[0]} of {photos.total} photos {done}, {count[1]} withheld"]
    withheld = [*read_table(project.path(WITHHELD), Withheld), *held_back]
    lines += withheld_lines(withheld, str(project.path(WITHHELD)))
    lines += [f"  passed over: {line}" for line in lines_of(list(read_table(project.path(PASSED_OVER), PassedOver)))]
    lines += [f"{name}: {value}" for name, value in headline(metrics)[1:HEADLINES]]
    lines += [f"note: {notice}" for notice in reservations(metrics, project.params.gate)]
    if "://" in project.params.store.path:
        lines.append(f"note: what is made of originals is kept at {project.params.store.path} (store.path)")
    if released:
        lines.append(f"release:       {project.path(RELEASE)}")
        lines.append(f"names:         {project.path(RELEASED)}  (private: which photo has which name there)")
    elif project.path(RELEASE).is_dir():
        lines.append(f"release:       {project.path(RELEASE)} is still the one of before")
    lines += [
        f"look at:       {project.path(SHEETS)}  (private: shows originals; what most needs a look comes first)",
        f"report:        {project.path(REPORT)}  (private: shows originals)",
        f"every photo:   {project.path(OUTCOMES)}  (private: names photos)",
    ]
    return "\n".join(map(printable, lines))


def withheld_lines(rows: Iterable[Withheld], table: str) -> Iterator[str]:
    """The withheld photos by reason: how many, and the first of each by name."""
    by_reason: dict[str, list[Withheld]] = defaultdict(list)
    for row in rows:
        by_reason[row.reason].append(row)
    for reason, found in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        if len(found) > 1:
            yield f"  withheld: {len(found)} × {reason}"
        indent = "    " if len(found) > 1 else "  withheld: "
        for row in found[:MOST_NAMED]:
            yield f"{indent}{row.photo}: {row.reason} ({row.detail})"
        if len(found) > MOST_NAMED:
            yield f"    and {len(found) - MOST_NAMED} more: {table}"


def _held_back(project: Project) -> list[Withheld]:
    """What the release's audit did not let go."""
    rows = read_table(project.path(RELEASED), ReleasedPhoto)
    return [Withheld(row.photo, "release", Reason.CARRIES_MORE, row.findings) for row in rows if row.name is None]
