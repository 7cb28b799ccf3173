"""Section: mean map of each group, for the images of each class."""

from dataclasses import dataclass
from functools import partial

from salix.analysis import Analysis
from salix.report import heatmap
from salix.report.map_drawings import draw_mean_maps
from salix.report.section import Section, read_template


@dataclass(frozen=True)
class MeanMapPicture:
    """Mean map of a group over one class as a picture, and its numbers of images and runs."""

    group: str
    address: str
    images: int
    runs: int


def build(analysis: Analysis) -> Section | None:
    """Draw the mean maps in one colour scale, from 0 to the greatest pixel of any of them.

    None where no run has maps that can be drawn.
    """
    table = analysis.mean_maps
    if not table:
        return None
    top = max(float(m.mean.max()) for row in table for m in row.groups if m is not None) or 1.0
    rows = [
        (
            row.title,
            [
                None
                if m is None
                else MeanMapPicture(m.group, heatmap.mean_picture(m.mean, top), m.images, m.runs)
                for m in row.groups
            ],
        )
        for row in table
    ]
    return Section(
        "averages",
        "Where each group looks on average",
        read_template(__file__),
        {"rows": rows, "top": top / 255},
        link="Averages",
        drawings={"averages": partial(draw_mean_maps, table)},
    )
