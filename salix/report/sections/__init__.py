"""Sections of the report, in the order of the page: to add one, add its file and a line here."""

from functools import partial
from typing import Any

from salix.analysis.face_parts import FaceParts
from salix.analysis.generators import GeneratorRule
from salix.report.section import Build
from salix.report.sections import (
    curves,
    data_sets,
    differences,
    distributions,
    examples,
    face_parts,
    film,
    gallery,
    image_spectra,
    leaderboard,
    map_motion,
    mean_maps,
    methods,
    numbers,
    overview,
    pairs,
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
    face_parts.build,
    pairs.build,
    subsets.build,
    distributions.build,
    spectra.build,
    image_spectra.build,
    examples.build,
    film.build,
    map_motion.build,
    gallery.build,
    skipped.build,
    settings.build,
    methods.build,
)


def sections_with(
    data: Any = None,
    *,
    layout: FaceParts | None = None,
    generators: GeneratorRule = "subset",
) -> tuple[Build, ...]:
    """Return all sections, with pictures of the swept images `data`, where these are given.

    `data` are paths as `salix.data.open_source` takes them, or a source. By `layout` the user says
    that the images of runs without a rule for faces are upright, centred crops; `generators` are
    "subset", "class" or "group".
    """
    if data is not None:
        from salix.data import Source, open_source

        data = data if isinstance(data, Source) else open_source(data)  # once for all sections
    changed: dict[Build, Build] = {
        examples.build: partial(examples.build, data=data),
        film.build: partial(film.build, data=data),
        face_parts.build: partial(face_parts.build, layout=layout, generators=generators),
        image_spectra.build: partial(image_spectra.build, data=data, generators=generators),
    }
    return tuple(changed.get(build, build) for build in SECTIONS)
