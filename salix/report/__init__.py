"""From runs to a page that says what the models look at: tables, figures, maps, one HTML file."""

from salix.report.page import write
from salix.report.tables import summary

__all__ = ["summary", "write"]
