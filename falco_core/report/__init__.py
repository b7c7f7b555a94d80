"""Pictures and pages that show what a run did. Private: they contain originals."""

from falco_core.report.page import write_report
from falco_core.report.sheet import BeforeAfter, thumbnail, write_contact_sheet

__all__ = ["BeforeAfter", "thumbnail", "write_contact_sheet", "write_report"]
