"""The gate: a dataset whose metrics are outside the user's limits, or unknown, is not released."""

from falco_core.judges.metrics import Metrics, Rate
from falco_core.project.params import GateParams

_REIDENTIFIED = "gate.max_reidentification_rate"


def violations(metrics: Metrics, limits: GateParams) -> list[str]:
    """One sentence per limit that `metrics` breaks, each with what to change; empty if the gate is open.

    A re-identification rate is held against the limit by the upper bound of its interval. Few faces cannot prove a
    small rate: then not one of them may be recognised, and `reservations` says that nothing is proven. What nobody
    judged, and a dataset of which nothing is left to release, is unknown, never 0.
    """
    found = []
    rates = _reidentification(metrics)
    known = [(name, rate) for name, rate in rates if rate.value is not None]
    unknown = not rates or len(known) < len(rates) or metrics.photos.released == 0
    if unknown and not limits.allow_unknown:
        found.append(
            "the re-identification rate is unknown: no face of a photo to be released was judged "
            "(reports/withheld.parquet says why photos are withheld); gate.allow_unknown: true releases all the same"
        )
    for name, rate in known:
        if rate.value and rate.high > limits.max_reidentification_rate:
            found.append(
                f"{name} {_bounds(rate)} is not surely below {_REIDENTIFIED} {limits.max_reidentification_rate:.1%}: "
                "let that judge decide (judges.gate), lower anonymize.margin or raise anonymize.attempts"
            )
    detected = metrics.utility.detection_rate
    if detected.value is not None and detected.value < limits.min_detection_rate:
        found.append(
            f"detection rate {detected.value:.1%} is below gate.min_detection_rate "
            f"{limits.min_detection_rate:.1%}: look at the contact sheet, try a larger sample.count"
        )
    withheld = metrics.photos.withheld / max(metrics.photos.total, 1)
    if withheld > limits.max_withheld_rate:
        found.append(
            f"withheld photos {withheld:.1%} are above gate.max_withheld_rate {limits.max_withheld_rate:.1%}: "
            "see the reasons in reports/withheld.parquet"
        )
    return found


def reservations(metrics: Metrics, limits: GateParams) -> list[str]:
    """What an open gate does not prove, a sentence each: rates that too few faces show, and a missing auditor."""
    found = []
    for name, rate in _reidentification(metrics):
        if rate.value == 0.0 and rate.high > limits.max_reidentification_rate:
            found.append(
                f"{name}: {rate.n} faces are too few to prove at most {limits.max_reidentification_rate:.1%} (none was "
                f"recognised, up to {rate.high:.1%} is possible)"
            )
    return [*found, *metrics.judges.notices]


def _reidentification(metrics: Metrics) -> list[tuple[str, Rate]]:
    """Of released faces: the gate's and the auditors' 1:1 counts."""
    return [
        (f"{record.metric} ({record.role})", record.rate)
        for record in metrics.identity
        if record.scope == "released" and record.role != "objective" and record.metric.startswith("reid_")
    ]


def _bounds(rate: Rate) -> str:
    return f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%} of {rate.n})"
