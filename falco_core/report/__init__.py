"""Pictures and pages that show what a run did. Private: they contain originals."""

from falco_core.report.page import write_report
from falco_core.report.risk import risk
from falco_core.report.sheet import BeforeAfter, Outline, thumbnail, write_contact_sheets

__all__ = ["BeforeAfter", "Outline", "risk", "thumbnail", "write_contact_sheets", "write_report"]
