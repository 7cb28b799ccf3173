"""Figures of the leaderboard: ranks of methods by metric, and agreement between metrics."""

from typing import Any

import numpy as np

from salix.analysis import Leaderboard
from salix.report.figure import GREY_AXIS, Figure, lay_out, make_figure, plain_text
from salix.report.palette import Palette

LINE = 40  # pixels of a method in the figure of ranks
CELL = 44  # pixels of a metric in the matrix
LONGEST = 36  # letters of a name on an axis
INK = "#1c1c1a"
DIVERGING = [[0, "#b2182b"], [0.25, "#f4a582"], [0.5, "#f7f7f7"], [0.75, "#92c5de"], [1, "#2166ac"]]


def rank_figure(board: Leaderboard) -> Figure:
    """Draw the rank of each method by each metric, and its mean rank, with their intervals."""
    import plotly.graph_objects as go

    drawing: Any = go.Figure()
    directed = [r for r in board.rankings if r.directed]
    palette = Palette(tuple(r.column.name for r in directed))
    order = board.order
    rows = np.arange(len(order))
    for n, ranking in enumerate(directed):
        swatch = palette[ranking.column.name]
        shift = 0.56 * ((n + 0.5) / len(directed) - 0.5)
        ranks, limits = ranking.ranks[list(order)], ranking.rank_limits[:, list(order)]
        drawing.add_trace(
            _marks(ranking.column.name, ranks, limits, rows + shift, swatch.colour, swatch.shape, 6)
        )
    means = [board.mean_ranks[i] for i in order]
    limits = np.array([[i.low for i in means], [i.high for i in means]])
    values = np.array([i.value for i in means])
    drawing.add_trace(_marks("Mean rank", values, limits, rows + 0.4, INK, "diamond", 10))
    names = [_short(board.methods[i]) for i in order]
    drawing.update_xaxes(
        title="rank (1 is the best)", range=[0.6, len(order) + 0.4], dtick=1, **GREY_AXIS
    )
    drawing.update_yaxes(
        tickvals=rows.tolist(),
        ticktext=names,
        range=[len(order) - 0.3, -0.6],
        automargin=True,
        **GREY_AXIS,
    )
    height = 120 + LINE * len(order) + 20 * len(directed)
    legend = {"orientation": "v", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    margin = {"l": 44, "r": 16, "t": 20 + 20 * (len(directed) + 1), "b": 46}
    lay_out(drawing, height=height, margin=margin, showlegend=True, legend=legend)
    label = "Rank of each method by each metric, with its mean rank"
    return make_figure("leaderboard-ranks", label, drawing)


def agreement_figure(board: Leaderboard) -> Figure:
    """Draw the agreement of each two metrics as a matrix of colours and numbers."""
    import plotly.graph_objects as go

    names = [r.column.name for r in board.rankings]
    short = [_short(n) for n in names]
    z = [[i.value if np.isfinite(i.value) else None for i in row] for row in board.agreement]
    text = [["" if v is None else f"{v:.2f}".replace("-", "−") for v in row] for row in z]
    drawing: Any = go.Figure(
        go.Heatmap(
            z=z,
            text=text,
            texttemplate="%{text}",
            zmin=-1,
            zmax=1,
            colorscale=DIVERGING,
            colorbar={"title": {"text": "Spearman"}, "thickness": 12, "tickvals": [-1, 0, 1]},
            hovertemplate="%{y}<br>%{x}<br>%{text}<extra></extra>",
            xgap=2,
            ygap=2,
        )
    )
    places = list(range(len(names)))
    drawing.update_xaxes(tickvals=places, ticktext=short, tickangle=-40, automargin=True)
    drawing.update_yaxes(tickvals=places, ticktext=short, autorange="reversed", automargin=True)
    drawing.update_xaxes(showgrid=False, zeroline=False, fixedrange=True)
    drawing.update_yaxes(showgrid=False, zeroline=False, fixedrange=True)
    height = 190 + CELL * len(names)
    lay_out(drawing, height=height, margin={"l": 44, "r": 16, "t": 16, "b": 46})
    return make_figure("leaderboard-agreement", "Agreement of each two metrics", drawing)


def _marks(
    name: str, x: np.ndarray, limits: np.ndarray, y: np.ndarray, colour: str, shape: str, size: int
) -> Any:
    import plotly.graph_objects as go

    low, high = limits
    up, down = (np.where(np.isfinite(v), np.abs(v - x), 0).round(4).tolist() for v in (high, low))
    return go.Scatter(
        x=[v if np.isfinite(v) else None for v in x.tolist()],
        y=y.round(4).tolist(),
        mode="markers",
        name=_short(name),
        marker={"color": colour, "symbol": shape, "size": size},
        error_x={
            "array": up,
            "arrayminus": down,
            "thickness": 1.4,
            "width": 0,
            "color": colour,
        },
        hovertemplate=f"{plain_text(name)}<br>rank %{{x:.2f}}<extra></extra>",
    )


def _short(name: str) -> str:
    """Return a name for an axis, cut in its middle where it is long."""
    if len(name) <= LONGEST:
        return plain_text(name)
    return plain_text(f"{name[: LONGEST - 8]}…{name[-7:]}")
