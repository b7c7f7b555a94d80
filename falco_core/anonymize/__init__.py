"""Identity obfuscation and attribute preservation by direct optimization of W+ codes (FALCO)."""

from falco_core.anonymize.latent import mix_codes
from falco_core.anonymize.losses import attribute_preservation_loss, identity_obfuscation_loss
from falco_core.anonymize.solver import Losses, Outcome, Problem, Solver

__all__ = [
    "Losses",
    "Outcome",
    "Problem",
    "Solver",
    "attribute_preservation_loss",
    "identity_obfuscation_loss",
    "mix_codes",
]
