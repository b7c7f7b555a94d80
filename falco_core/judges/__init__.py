"""Judges of an anonymized dataset: the second look at each photo, the metrics, and the gate before the release."""

from falco_core.judges.gate import violations
from falco_core.judges.metrics import Metrics, Rate

__all__ = ["Metrics", "Rate", "violations"]
