"""report.html: one self-contained page with the metrics, the withheld photos and the contact sheet."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from falco_core.files import write_text
from falco_core.judges.identity import headline as identity_headline
from falco_core.judges.metrics import IdentityRecord, Mean, Metrics, Rate
from falco_core.store.rows import Withheld

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>falco report</title><style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .3rem .9rem; text-align: left;
border-bottom: 1px solid #8884 } img { max-width: 100%; height: auto }
</style></head><body>
<h1>falco report</h1>
<p>Private: this page shows originals. It belongs to the data folder, not to the release.</p>
<ul>$notices</ul>
<h2>Metrics</h2><table><tr><th>metric</th><th>value</th></tr>$metrics</table>
<h2>Withheld photos</h2>$withheld
<h2>Before and after</h2>
<p>Photos that most need a look come first; all pages lie beside this one in contact_sheets.</p>$sheets
</body></html>
""")

NOT_PROVEN = (
    "Not proven: that nobody knows a person by hair, clothes, companions or background. These stay as they are.",
    "The judges are the recognisers named below; a stronger one may see more.",
)


def write_report(path: Path, *, metrics: Metrics, withheld: Sequence[Withheld], sheets: Sequence[Path]) -> None:
    """Write the page; `sheets` are PNGs of contact sheets to show."""
    images = (base64.b64encode(sheet.read_bytes()).decode() for sheet in sheets)
    page = _PAGE.substitute(
        notices="".join(f"<li>{escape(notice)}</li>" for notice in (*metrics.judges.notices, *NOT_PROVEN)),
        metrics="".join(_row(name, value) for name, value in headline(metrics)),
        withheld=_withheld(withheld),
        sheets="".join(
            f'<img alt="pairs of photos before and after" src="data:image/png;base64,{image}">' for image in images
        ),
    )
    write_text(path, page)


def headline(metrics: Metrics) -> list[tuple[str, str]]:
    """The metrics a reader wants first, as (name, value with interval and n)."""
    photos, faces, utility = metrics.photos, metrics.faces, metrics.utility
    causes = ", ".join(f"{cause} {count}" for cause, count in faces.causes.items())
    return [
        ("photos released / withheld", f"{photos.released} / {photos.withheld}"),
        ("faces replaced / concealed", f"{faces.replaced} / {faces.concealed}{f' ({causes})' if causes else ''}"),
        ("judges", f"gate {', '.join(metrics.judges.gate)}; audit {', '.join(metrics.judges.audit) or 'nobody'}"),
        ("re-identification", identity_headline(metrics.identity)),
        ("first attempts recognised by the gate", _rate(metrics.first_attempts_recognised)),
        *((_name(record), _rate(record.rate)) for record in metrics.identity if record.role != "objective"),
        ("attribute similarity to the original (FaRL)", _mean(utility.attribute_similarity)),
        ("new faces found by the detector", _rate(utility.detection_rate)),
        ("plausibility of new faces (0 to 1)", _mean(utility.plausibility)),
    ]


def _name(record: IdentityRecord) -> str:
    where = "of released faces" if record.scope == "released" else "of new faces, before any was held back"
    return f"{record.metric} ({record.role}) {where}"


def _rate(rate: Rate) -> str:
    if rate.value is None:
        return "unknown (no faces)"
    return f"{rate.value:.1%} (95 % interval {rate.low:.1%} to {rate.high:.1%}, n = {rate.n})"


def _mean(mean: Mean) -> str:
    return "no faces" if mean.value is None else f"{mean.value:.3f} (n = {mean.n})"


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _withheld(rows: Sequence[Withheld]) -> str:
    if not rows:
        return "<p>None.</p>"
    cells = "".join(_row(row.photo, row.stage, row.reason, row.detail) for row in rows)
    return f"<table><tr><th>photo</th><th>stage</th><th>reason</th><th>detail</th></tr>{cells}</table>"
