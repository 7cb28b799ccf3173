"""From runs to a page that says what the models look at: tables, figures, maps, one HTML file."""

from salix.analysis.summary import summary
from salix.report.page import write

__all__ = ["summary", "write"]
