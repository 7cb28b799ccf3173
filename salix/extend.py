"""The protocols to extend Salix by: methods, measures, problems, data and sections.

A method attributes a score to an image, a measure returns named numbers of one image, a problem
defines the row of one example of any kind, and a section shows an analysis on the report page.
Each is an object of your own with the right call or attributes; nothing is registered.
"""

from salix.engine.problem import Examples, Problem
from salix.report.section import Build, Section
from salix.typing import Column, Explain, Explanation, Measure, Method, ScoreLike, Values

__all__ = [
    "Build",
    "Column",
    "Examples",
    "Explain",
    "Explanation",
    "Measure",
    "Method",
    "Problem",
    "ScoreLike",
    "Section",
    "Values",
]
