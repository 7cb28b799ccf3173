"""Shortcut audit: how well labels are predicted by what needs no face."""

from salix.audit.audit import Audit, audit_images
from salix.audit.copies import Recoded
from salix.audit.page import write_audit
from salix.audit.screening import Screened, Screening, screen

__all__ = ["Audit", "Recoded", "Screened", "Screening", "audit_images", "screen", "write_audit"]
