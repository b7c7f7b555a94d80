"""Judges of an anonymized dataset: privacy, utility, and the gate before the release."""

from falco_core.judges.gate import violations
from falco_core.judges.metrics import Metrics, Rate, dataset_metrics
from falco_core.judges.second_look import FaceCheck, SecondLook, Verdict

__all__ = ["FaceCheck", "Metrics", "Rate", "SecondLook", "Verdict", "dataset_metrics", "violations"]
