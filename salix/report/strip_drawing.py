"""Panels of the overview drawn by matplotlib, for files."""

from collections.abc import Sequence
from typing import Any

from salix.plot.canvas import new_figure
from salix.report.figure_axes import FONT
from salix.report.figure_drawing import DASHES, SYMBOLS, WIDE
from salix.report.palette import Palette
from salix.report.strips import MARGIN, WIDTH, Panel, Strip

ROW, HEAD = 0.34, 0.75  # inches of a strip, and of the title and axis of a panel
COLUMNS = 2


def draw_panels(panels: Sequence[Panel], palette: Palette) -> Any:
    """Return a matplotlib figure of some numbers of all groups: means, runs and intervals."""
    down, across = -(-len(panels) // COLUMNS), min(len(panels), COLUMNS)
    height = down * (HEAD + ROW * max(len(p.strips) for p in panels))
    figure = new_figure(WIDE, height)
    every = figure.subplots(down, across, squeeze=False).ravel()
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    for place, (axes, panel) in enumerate(zip(every, panels, strict=False)):
        axes.set_title(panel.column.name, fontsize=FONT + 1, loc="left", parse_math=False)
        for row, strip in enumerate(panel.strips):
            _strip(axes, row, strip, palette)
        for x, text in panel.references:
            axes.axvline(x, color="#62625d", linewidth=1, linestyle=DASHES["dash"])
            axes.text(x, -0.6, text, fontsize=FONT - 2, ha="center", va="bottom", parse_math=False)
        axes.set_xticks([x for x, _ in panel.ticks], [text for _, text in panel.ticks])
        names = [s.group.name for s in panel.strips] if place % COLUMNS == 0 else []
        axes.set_yticks(range(len(panel.strips)) if names else [], names)
        axes.set(xlim=(MARGIN / 2, WIDTH - MARGIN / 2), ylim=(len(panel.strips) - 0.5, -0.6))
        axes.grid(True, axis="x", color="#ecece8")
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=FONT)
        for label in axes.get_yticklabels():
            label.set_parse_math(False)
    return figure


def _strip(axes: Any, row: int, strip: Strip, palette: Palette) -> None:
    """Draw the interval, the mean and the runs of one group, and its number."""
    swatch = palette[strip.group.name]
    if strip.bar is not None:
        axes.plot(
            strip.bar,
            [row, row],
            color=swatch.colour,
            linewidth=5,
            alpha=0.28,
            solid_capstyle="butt",
        )
    if strip.mean is not None:
        axes.plot([strip.mean] * 2, [row - 0.3, row + 0.3], color=swatch.colour, linewidth=1.5)
    if strip.dots:
        x, y = [dot[0] for dot in strip.dots], [row + (dot[1] - 12) / 24 for dot in strip.dots]
        options = {"color": swatch.colour, "markersize": 4.5, "markeredgecolor": "white"}
        axes.plot(x, y, SYMBOLS[swatch.shape], markeredgewidth=0.5, **options)
    value = axes.annotate(strip.text, (1.01, row), xycoords=("axes fraction", "data"))
    value.set(fontsize=FONT, va="center", parse_math=False)
