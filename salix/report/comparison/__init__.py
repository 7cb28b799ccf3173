"""Report page of a comparison of models region by region."""

from salix.report.comparison.page import write_comparison

__all__ = ["write_comparison"]
