"""Section: distributions of numbers over the images, a ridge a run and a panel a class."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis import Analysis, TableColumn
from salix.analysis.distributions import Distribution
from salix.report.figure import GREY_AXIS, Figure, lay_out, make_figure, plain_text
from salix.report.palette import Palette, Swatch
from salix.report.section import Section, figure_section, in_groups
from salix.stats import Interval

ROW = 44  # pixels of a run
ALWAYS = ("spatial_entropy", "histogram_entropy")
LEFT_OUT = ("gini",)  # it ranks maps nearly as spatial entropy does
OTHERS = 4  # distributions of further numbers
LONGEST = 28  # letters of a name on the axis


@dataclass(frozen=True)
class DistributionFigure:
    """A distribution and its figure; `rows` are the means: a run, an interval a class."""

    distribution: Distribution
    figure: Figure

    @property
    def rows(self) -> list[tuple[str, tuple[Interval, ...]]]:
        """Mean of each class, run by run."""
        return list(zip(self.distribution.runs, self.distribution.means, strict=True))


def build(analysis: Analysis) -> Section | None:
    """Draw the distributions of entropies and of the first other numbers; None without any."""
    title = "How the numbers are distributed over the images"
    figures = draw_distributions(analysis)
    return figure_section("distributions", title, "Distributions", __file__, figures)


def draw_distributions(analysis: Analysis) -> list[DistributionFigure]:
    """Return the figures; values are binned on the host, so that no row reaches the page."""
    scalar = {name for frame in analysis.frames for name in frame.numbers}
    columns = [c for c in analysis.columns if c.key in scalar]
    others = [c.key for c in columns if c.key not in (*ALWAYS, *LEFT_OUT)]
    chosen = [c for c in columns if c.key in (*ALWAYS, *others[:OTHERS])]
    palette = Palette(analysis.groups)
    swatches = [palette[run.group] for run in analysis.runs]
    figures = []
    for number, column in enumerate(chosen):
        distribution = analysis.distribution(column)
        if distribution is not None:
            drawing = _draw(distribution, swatches)
            label = f"Distribution of {column.name} for each run"
            figure = make_figure(f"distribution-{number}", label, drawing)
            figures.append(DistributionFigure(distribution, figure))
    return figures


def _draw(d: Distribution, swatches: list[Swatch]) -> Any:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    titles = [plain_text(title) for title in d.classes]
    drawing = make_subplots(
        1, len(titles), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03
    )
    peak = max(s.max() for row in d.shares for s in row) or 1.0
    edges = np.repeat(d.edges, 2).round(5).tolist()
    for i, name in enumerate(d.runs):
        base, colour = float(len(d.runs) - 1 - i), swatches[i].colour
        for j, interval in enumerate(d.means[i]):
            heights = np.repeat(base + 0.82 * d.shares[i][j] / peak, 2)
            outline = np.concatenate([[base], heights, [base]]).round(4).tolist()
            ridge = go.Scatter(
                x=edges, y=outline, fill="toself", fillcolor=colour + "55", mode="lines"
            )
            ridge.update(line={"color": colour, "width": 1}, hoverinfo="skip", showlegend=False)
            drawing.add_trace(ridge, 1, j + 1)
            if np.isfinite(interval.value):
                drawing.add_trace(_mean(name, d.column, interval, base, swatches[i]), 1, j + 1)
    names = [
        plain_text(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")
        for name in reversed(d.runs)
    ]
    percent: dict[str, Any] = {"tickformat": ".0%"} if d.column.percent else {}
    drawing.update_xaxes(range=[d.edges[0], d.edges[-1]], **GREY_AXIS, **percent)
    drawing.update_yaxes(tickvals=list(range(len(names))), ticktext=names, **GREY_AXIS)
    drawing.update_yaxes(range=[-0.25, len(names)], automargin=True)
    margin = {"l": 8, "r": 24, "t": 34, "b": 30}
    lay_out(drawing, height=80 + ROW * len(names), margin=margin, hoverlabel={"align": "left"})
    return drawing


def _mean(name: str, column: TableColumn, i: Interval, base: float, swatch: Swatch) -> Any:
    import plotly.graph_objects as go

    error = {"array": [i.high - i.value], "arrayminus": [i.value - i.low], "thickness": 2}
    text = f"{column.format(i.value)} {column.limits(i)}, {in_groups(i.n, i.clusters)}"
    text += f", {i.undefined} undefined" if i.undefined else ""
    return go.Scatter(
        x=[i.value],
        y=[base],
        mode="markers",
        marker={"color": swatch.colour, "symbol": swatch.shape, "size": 9}
        | {"line": {"color": "white", "width": 1}},
        error_x=error | {"color": swatch.colour, "width": 4} if np.isfinite(i.low) else None,
        text=[f"{plain_text(name)}<br>mean {text}"],
        hoverinfo="text",
        showlegend=False,
    )
