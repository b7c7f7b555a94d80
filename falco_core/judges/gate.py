"""The gate: a dataset whose metrics are outside the user's limits is not released."""

from falco_core.judges.metrics import Metrics
from falco_core.params import GateParams


def violations(metrics: Metrics, limits: GateParams) -> list[str]:
    """One sentence per limit that `metrics` breaks, each with what to change; empty if the gate is open."""
    found = []
    rate = metrics.privacy.reidentification_rate.value
    if rate > limits.max_reidentification_rate:
        found.append(
            f"re-identification rate {rate:.1%} is above gate.max_reidentification_rate "
            f"{limits.max_reidentification_rate:.1%}: lower anonymize.margin or compose.max_heldout_similarity"
        )
    detected = metrics.utility.detection_rate
    if detected.n and detected.value < limits.min_detection_rate:
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
