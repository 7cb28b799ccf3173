"""Sections of the report, in the order of the page: to add one, add its file and a line here."""

from functools import partial
from typing import Any

from salix.report.section import Build
from salix.report.sections import (
    curves,
    data_sets,
    differences,
    distributions,
    examples,
    film,
    gallery,
    leaderboard,
    map_motion,
    mean_maps,
    methods,
    numbers,
    overview,
    series,
    settings,
    skipped,
    spectra,
    stability,
    subsets,
    videos,
)

SECTIONS: tuple[Build, ...] = (
    overview.build,
    differences.build,
    numbers.build,
    data_sets.build,
    curves.build,
    videos.build,
    leaderboard.build,
    series.build,
    stability.build,
    mean_maps.build,
    subsets.build,
    distributions.build,
    spectra.build,
    examples.build,
    film.build,
    map_motion.build,
    gallery.build,
    skipped.build,
    settings.build,
    methods.build,
)


def sections_with(data: Any) -> tuple[Build, ...]:
    """Return all sections, with pictures of the swept images `data`.

    `data` are paths as `salix.data.open_source` takes them, or a source.
    """
    pictured: dict[Build, Build] = {
        examples.build: partial(examples.build, data=data),
        film.build: partial(film.build, data=data),
    }
    return tuple(pictured.get(build, build) for build in SECTIONS)
