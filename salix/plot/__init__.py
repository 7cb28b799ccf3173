"""Figures of images with their maps, by matplotlib: one overlay, and grids in one colour scale."""

from salix.plot.blending import blend
from salix.plot.canvas import check_file, check_matplotlib, save
from salix.plot.colour_scale import ColourScale, choose_scale
from salix.plot.panels import grid
from salix.plot.single import overlay

__all__ = [
    "ColourScale",
    "blend",
    "check_file",
    "check_matplotlib",
    "choose_scale",
    "grid",
    "overlay",
    "save",
]
