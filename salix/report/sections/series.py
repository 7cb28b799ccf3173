"""Section: measures over an axis, a figure each with a panel a column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis import Analysis, GroupSummary, Series, Summary, TableColumn
from salix.analysis.series import DecisionSplit, series_intervals
from salix.report.figure import GREY_AXIS, Figure, lay_out, make_figure, plain_text
from salix.report.palette import Palette, Swatch
from salix.report.section import Section, figure_section, in_groups
from salix.stats import Interval

HEIGHT = 300  # pixels of a panel of lines
LINE = 26  # pixels of a name on the axis


@dataclass(frozen=True)
class SeriesFigure:
    """A series with its figure, its table, and its means by decision."""

    series: Series
    figure: Figure
    table: tuple[tuple[str, str, tuple[Interval, ...]], ...]  # group, column, coordinates
    splits: tuple[DecisionSplit, ...]
    note: str

    @property
    def first(self) -> TableColumn:
        """The column that decisions are compared in."""
        return self.series.table_column(self.series.columns[0])


def build(analysis: Analysis) -> Section | None:
    """Draw every series that any run has; None for none."""
    title, figures = "How maps and decisions change with the image", draw_series(analysis)
    return figure_section("changes", title, "Changes", __file__, figures, groups=analysis.groups)


def draw_series(analysis: Analysis) -> list[SeriesFigure]:
    """Return the figures of all series."""
    groups, palette = analysis.summary.groups, Palette(analysis.groups)
    figures = []
    for number, series in enumerate(analysis.series):
        table = tuple(
            (g.name, series.table_column(c).name, intervals)
            for c in series.columns
            for g in groups
            if (intervals := series_intervals(g, c.name))
        )
        label = f"{series.title} over {series.axis} for each group"
        figure = make_figure(f"series-{number}", label, _draw(series, groups, palette))
        splits = analysis.decision_splits(series)
        figures.append(SeriesFigure(series, figure, table, splits, _note(series, analysis.summary)))
    return figures


def _draw(series: Series, groups: Sequence[GroupSummary], palette: Palette) -> Any:
    from plotly.subplots import make_subplots

    columns = [series.table_column(c) for c in series.drawn]
    titles = [plain_text(c.name) for c in columns]
    drawing = make_subplots(1, len(columns), subplot_titles=titles, horizontal_spacing=0.05)
    numeric = series.numeric
    places = np.array(series.coordinates, float) if numeric else np.arange(len(series.coordinates))
    for panel, column in enumerate(columns, 1):
        for n, group in enumerate(groups):
            if intervals := series_intervals(group, column.key):
                shift = 0.0 if numeric else 0.5 * ((n + 0.5) / len(groups) - 0.5)
                along = places[: len(intervals)] + shift
                trace = _trace(group, palette[group.name], intervals, along, series)
                drawing.add_trace(trace, 1, panel)
    _style(drawing, series, columns)
    return drawing


def _trace(
    group: GroupSummary, swatch: Swatch, intervals: Sequence[Interval], along: Any, series: Series
) -> Any:
    import plotly.graph_objects as go

    values = [i.value if np.isfinite(i.value) else None for i in intervals]
    lengths = [[abs(getattr(i, end) - i.value) for i in intervals] for end in ("high", "low")]
    up, down = ([round(x, 5) if np.isfinite(x) else 0.0 for x in row] for row in lengths)
    error = {"array": up, "arrayminus": down, "thickness": 1.2, "width": 3, "color": swatch.colour}
    places = along.round(4).tolist()
    x, y = (places, values) if series.numeric else (values, places)
    text = [f"{plain_text(group.name)}<br>{plain_text(str(c))}" for c in series.coordinates]
    return go.Scatter(
        x=x,
        y=y,
        error_y=error if series.numeric else None,
        error_x=None if series.numeric else error,
        mode="lines+markers" if series.numeric else "markers",
        line={"color": swatch.colour, "width": 1.6},
        marker={"color": swatch.colour, "symbol": swatch.shape, "size": 7},
        text=text,
        hovertemplate="%{text}<br>%{y:.3f}" if series.numeric else "%{text}<br>%{x:.3f}",
        name=plain_text(group.name),
        hoverlabel={"namelength": 0},
        showlegend=False,
    )


def _style(drawing: Any, series: Series, columns: Sequence[TableColumn]) -> None:
    names = [plain_text(str(c)) for c in series.coordinates]
    for i, column in enumerate(columns, 1):
        scale = {} if column.low is None or column.high is None else {"autorange": True}
        bounds = {"rangemode": "tozero"} | scale
        if series.numeric:
            drawing.update_yaxes(row=1, col=i, title=None, **GREY_AXIS, **bounds)
            drawing.update_xaxes(row=1, col=i, title=plain_text(series.axis), **GREY_AXIS)
        else:
            drawing.update_xaxes(row=1, col=i, **GREY_AXIS, **bounds)
            drawing.update_yaxes(
                row=1,
                col=i,
                tickvals=list(range(len(names))),
                ticktext=names if i == 1 else [""] * len(names),
                range=[len(names) - 0.4, -0.6],
                automargin=True,
                **GREY_AXIS,
            )
    height = HEIGHT if series.numeric else 90 + LINE * len(names)
    lay_out(drawing, height=height, margin={"l": 44, "r": 16, "t": 34, "b": 46})


def _note(series: Series, summary: Summary) -> str:
    """Write what the marks and their bars are made from."""
    name = series.columns[0].name
    counts = [i.n for r in summary.runs for i in r.arrays.get(name, ())] or [0]
    several = [sum(name in r.arrays for r in g.runs) > 1 for g in summary.groups]
    over = "runs and images" if any(several) else "images"
    over += ", or images for a single run" if any(several) and not all(several) else ""
    clusters = max((i.clusters for r in summary.runs for i in r.arrays.get(name, ())), default=0)
    images = f"{min(counts)}–{max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
    return f"{in_groups(images, clusters)} a run; bars: 95 % over {over}"
