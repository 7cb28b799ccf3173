"""Section: all kept images with the map and the decision of each run."""

from salix.analysis import Analysis
from salix.report import pictures
from salix.report.section import Section, read_template


def build(analysis: Analysis) -> Section | None:
    """Show the kept images; None if no run kept any."""
    gallery = analysis.derive(pictures.gallery)
    if not gallery.images:
        return None
    runs = [(run.name, run.group) for run in analysis.runs]
    return Section(
        "gallery",
        "Gallery",
        read_template(__file__),
        {"gallery": gallery, "runs": runs},
        link="Gallery",
    )
