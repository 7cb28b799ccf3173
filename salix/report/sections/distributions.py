"""The distribution of a number over the images, a ridge a run and a panel a class."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from salix.analysis import frame
from salix.analysis.columns import TableColumn
from salix.report.palette import Mark
from salix.stats import Interval, mean_interval
from salix.store import Run

BINS = 40
CLASSES = 4  # more are drawn together
ROW = 44  # pixels of a run
FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif"


@dataclass(frozen=True)
class Figure:
    """A figure for plotly's script, and the same means as a table: a row a run, a cell a class."""

    id: str
    column: TableColumn
    classes: tuple[str, ...]
    data: dict[str, Any]
    means: tuple[tuple[str, tuple[Interval, ...]], ...]


def figure(
    id: str, runs: Sequence[Run], marks: Sequence[Mark], column: TableColumn
) -> Figure | None:
    """Bin the values on the host, so that no row reaches the page; None if no value is defined."""
    # A class without a value has no panel: genuine images have no forged region, for one.
    classes = [c for c in _classes(runs) if any(len(_values(r, column.key, c[1])) for r in runs)]
    if not classes:
        return None
    values = [[_values(run, column.key, c) for _, c in classes] for run in runs]
    pooled = np.concatenate([v[np.isfinite(v)] for row in values for v in row])
    means = tuple(
        (r.name, tuple(map(mean_interval, row))) for r, row in zip(runs, values, strict=True)
    )
    edges = np.linspace(*_range(column, pooled), BINS + 1)
    shares = [[_shares(v, edges) for v in row] for row in values]
    data = _draw(runs, marks, column, classes, edges, shares, means)
    return Figure(id, column, tuple(n for n, _ in classes), data, means)


def _classes(runs: Sequence[Run]) -> list[tuple[str, str | None]]:
    """Return (title, class) of each panel; class None is every image."""
    found: dict[str, None] = {}
    unknown = False
    for run in runs:
        labels = frame.measured(run)["label"]
        found |= dict.fromkeys(run.classes[i] for i in np.unique(labels[labels >= 0]))
        unknown |= bool((labels < 0).any())
    if unknown or not 1 < len(found) <= CLASSES:
        return [("all images", None)]
    order = list(dict.fromkeys(c for run in runs for c in run.classes if c in found))
    return [(f"images of class {c}", c) for c in order]


def _values(run: Run, key: str, name: str | None) -> np.ndarray:
    """Return a column over one class; empty if none of it is defined."""
    columns = frame.measured(run)
    if key not in columns or columns[key].ndim > 1:
        return np.zeros(0)
    values = columns[key].astype(np.float64)
    if name is not None:
        label = run.classes.index(name) if name in run.classes else -2
        values = values[columns["label"] == label]
    return values if np.isfinite(values).any() else np.zeros(0)


def _range(column: TableColumn, values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if column.low is not None and column.high is not None:
        low, high = min(low, column.low), max(high, column.high)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    counts = np.histogram(values[np.isfinite(values)], edges)[0]
    return counts / max(1, counts.sum())


def _draw(
    runs: Sequence[Run],
    marks: Sequence[Mark],
    column: TableColumn,
    classes: Sequence[tuple[str, str | None]],
    edges: np.ndarray,
    shares: list[list[np.ndarray]],
    means: Sequence[tuple[str, tuple[Interval, ...]]],
) -> dict[str, Any]:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    titles = [plain_text(title) for title, _ in classes]
    made = make_subplots(
        1, len(classes), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03
    )
    peak = max(s.max() for row in shares for s in row) or 1.0
    for i, run in enumerate(runs):
        base, colour = float(len(runs) - 1 - i), marks[i].colour
        for j, interval in enumerate(means[i][1]):
            x, y = _steps(edges, base + 0.82 * shares[i][j] / peak, base)
            ridge = go.Scatter(x=x, y=y, fill="toself", fillcolor=colour + "55", mode="lines")
            ridge.update(line={"color": colour, "width": 1}, hoverinfo="skip", showlegend=False)
            made.add_trace(ridge, 1, j + 1)
            if np.isfinite(interval.value):
                made.add_trace(_mean(go, run.name, column, interval, base, marks[i]), 1, j + 1)
    names = [plain_text(_short(r.name)) for r in reversed(runs)]
    _dress(made, column, names, edges)
    return json.loads(str(made.to_json()))


def _dress(made: Any, column: TableColumn, names: list[str], edges: np.ndarray) -> None:
    grey = {"gridcolor": "#e4e4e0", "zeroline": False, "fixedrange": True}
    percent = {"tickformat": ".0%"} if column.percent else {}
    made.update_xaxes(range=[edges[0], edges[-1]], **grey, **percent)
    made.update_yaxes(tickvals=list(range(len(names))), ticktext=names, **grey)
    made.update_yaxes(range=[-0.25, len(names)], automargin=True)
    made.update_annotations(font={"size": 13})
    made.update_layout(
        template=None,
        height=80 + ROW * len(names),
        margin={"l": 8, "r": 24, "t": 34, "b": 30},
        font={"family": FONT, "size": 12, "color": "#1c1c1a"},
        hovermode="closest",
        hoverlabel={"align": "left"},
    )


def _steps(edges: np.ndarray, heights: np.ndarray, base: float) -> tuple[list, list]:
    """Return the outline of a histogram that stands on `base`, closed."""
    x = np.repeat(edges, 2)
    y = np.concatenate([[base], np.repeat(heights, 2), [base]])
    return x.round(5).tolist(), y.round(4).tolist()


def _mean(go: Any, name: str, column: TableColumn, i: Interval, base: float, mark: Mark) -> Any:
    wide = np.isfinite(i.low)
    error = {"array": [i.high - i.value], "arrayminus": [i.value - i.low], "thickness": 2}
    says = f"{column.format(i.value)} {column.limits(i)}, {i.n} images"
    says += f", {i.undefined} undefined" if i.undefined else ""
    return go.Scatter(
        x=[i.value],
        y=[base],
        mode="markers",
        marker={"color": mark.colour, "symbol": mark.shape, "size": 9}
        | {"line": {"color": "white", "width": 1}},
        error_x=error | {"color": mark.colour, "width": 4} if wide else None,
        text=[f"{plain_text(name)}<br>mean {says}"],
        hoverinfo="text",
        showlegend=False,
    )


def plain_text(text: str) -> str:
    """Plotly reads a little HTML in its texts: take it away from names."""
    return escape(text).replace("\n", " ")


def _short(name: str, most: int = 28) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
