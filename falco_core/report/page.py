"""report.html: one self-contained page with the metrics, the withheld photos and the contact sheet."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from falco_core.judges.metrics import Mean, Metrics, Rate

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
<h2>Metrics</h2><table><tr><th>metric</th><th>value</th></tr>$metrics</table>
<h2>Withheld photos</h2>$withheld
<h2>Before and after</h2><img alt="pairs of photos before and after" src="data:image/png;base64,$sheet">
</body></html>
""")


def write_report(path: Path, *, metrics: Metrics, withheld: Sequence[Mapping[str, Any]], sheet: Path) -> None:
    """Write the page; `withheld` are rows of withheld.parquet, `sheet` the contact sheet's PNG."""
    page = _PAGE.substitute(
        metrics="".join(_row(name, value) for name, value in headline(metrics)),
        withheld=_withheld(withheld),
        sheet=base64.b64encode(sheet.read_bytes()).decode(),
    )
    path.write_text(page, encoding="utf-8")


def headline(metrics: Metrics) -> list[tuple[str, str]]:
    """The metrics a reader wants first, as (name, value with interval and n)."""
    privacy, utility, photos = metrics.privacy, metrics.utility, metrics.photos
    return [
        ("photos released / withheld", f"{photos.released} / {photos.withheld}"),
        ("re-identification rate (held-out recogniser)", _rate(privacy.reidentification_rate)),
        ("identity similarity to the original (recogniser)", _mean(privacy.recogniser_similarity)),
        ("attribute similarity to the original (FaRL)", _mean(utility.attribute_similarity)),
        ("identity similarity (held-out recogniser)", _mean(privacy.heldout_similarity)),
        ("re-identified before withholding", _rate(privacy.reidentification_rate_composed)),
        ("new faces found by the detector", _rate(utility.detection_rate)),
        *(
            (f"{record.metric} ({record.role}, {record.scope} faces)", _rate(record.rate))
            for record in metrics.identity
        ),
    ]


def _rate(rate: Rate) -> str:
    if rate.value is None:
        return "unknown (no faces)"
    return f"{rate.value:.1%} (95 % interval {rate.low:.1%} to {rate.high:.1%}, n = {rate.n})"


def _mean(mean: Mean) -> str:
    return "no faces" if mean.value is None else f"{mean.value:.3f} (n = {mean.n})"


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _withheld(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    cells = "".join(_row(row["photo"], row["stage"], row["reason"], row["detail"]) for row in rows)
    return f"<table><tr><th>photo</th><th>stage</th><th>reason</th><th>detail</th></tr>{cells}</table>"
