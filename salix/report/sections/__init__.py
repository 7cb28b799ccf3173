"""Sections of the report, in the order of the page: to add one, add its file and a line here."""

from salix.report.section import Build
from salix.report.sections import (
    differences,
    distributions,
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
    videos,
)

SECTIONS: tuple[Build, ...] = (
    overview.build,
    differences.build,
    numbers.build,
    videos.build,
    leaderboard.build,
    series.build,
    stability.build,
    mean_maps.build,
    subsets.build,
    distributions.build,
    gallery.build,
    skipped.build,
    settings.build,
    methods.build,
)
