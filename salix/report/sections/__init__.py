"""Sections of the report, in the order of the page: to add one, add its file and a line here."""

from salix.report.section import Build
from salix.report.sections import (
    curves,
    data_sets,
    differences,
    distributions,
    examples,
    gallery,
    leaderboard,
    mean_maps,
    methods,
    numbers,
    overview,
    series,
    settings,
    skipped,
    stability,
    subsets,
)

SECTIONS: tuple[Build, ...] = (
    overview.build,
    differences.build,
    numbers.build,
    data_sets.build,
    curves.build,
    leaderboard.build,
    series.build,
    stability.build,
    mean_maps.build,
    subsets.build,
    distributions.build,
    examples.build,
    gallery.build,
    skipped.build,
    settings.build,
    methods.build,
)
