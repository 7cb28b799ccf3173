"""From runs to one HTML page: headline, figures, tables and maps, with its numbers beside it."""

from salix.report.page import write, write_page
from salix.report.section import Section

__all__ = ["Section", "write", "write_page"]
