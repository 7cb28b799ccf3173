"""Figures of the page drawn by matplotlib, for files: the same numbers, colours and axes."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from salix.plot.canvas import new_figure
from salix.report.figure import Figure
from salix.report.figure_axes import (
    FONT,
    axis_settings,
    plain_label,
    plain_values,
    style_panel,
    title_panel,
)

WIDE, NARROW = 7.4, 5.2  # inches, of several panels and of one
INCH, POINT = 1 / 96, 0.75  # of a pixel
SYMBOLS = {"square": "s", "circle": "o", "diamond": "D", "triangle-up": "^", "triangle-down": "v"}
DASHES = {"dot": (0, (1, 2)), "dash": (0, (4, 2)), None: "solid"}
HEIGHT = 0.86  # of a panel's figure beside the title and the names of its axes

Panels = Mapping[str, Any]  # matplotlib's axes by plotly's name of the horizontal one: x, x2


def draw_figure(figure: Figure) -> Any:
    """Return a figure of the page as one of matplotlib, in the size of a page of text.

    Lines, markers with error bars, filled outlines and matrices of colours, in one row of panels.
    Raises `ValueError` for a trace of another type, and `InputError` without matplotlib.
    """
    drawing = json.loads(figure.json)
    layout = drawing["layout"]
    panels = _panels(layout, figure.height)
    handles: dict[str, Any] = {}
    for trace in drawing["data"]:
        axes = panels[trace.get("xaxis", "x")]
        match trace["type"]:
            case "scatter":
                handle = _scatter(axes, trace)
                if (name := trace.get("name")) and handle is not None:
                    handles.setdefault(plain_label(name), handle)
            case "heatmap":
                _heatmap(axes, trace)
            case other:
                raise ValueError(f"{figure.id} has a trace of type {other!r}, which is not drawn")
    for line in layout.get("shapes", ()):
        _line(panels[line.get("xref", "x")], line)
    for name, axes in panels.items():
        style_panel(axes, layout, name)
    for note in layout.get("annotations", ()):
        title_panel(panels, layout, note)
    if len(handles) > 1:
        names, lines = list(handles), list(handles.values())
        legend = next(iter(panels.values())).figure.legend(
            lines, names, loc="outside upper left", ncols=4, fontsize=FONT, frameon=False
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    return next(iter(panels.values())).figure


def _panels(layout: Mapping[str, Any], height: int) -> Panels:
    """Return empty axes for each horizontal axis of a layout, from the left."""
    names = [n.replace("axis", "") for n in layout if n.startswith("xaxis")] or ["x"]
    names.sort(key=lambda n: axis_settings(layout, n).get("domain", [0, 1])[0])
    figure = new_figure(WIDE if len(names) > 1 else NARROW, height * INCH * HEIGHT)
    shared = any("matches" in layout[n] for n in layout if n.startswith("yaxis"))
    axes = figure.subplots(1, len(names), squeeze=False, sharey=shared)[0]
    for own in axes:
        own.spines[:].set_visible(False)
        own.tick_params(length=0, labelsize=FONT)
        own.set_axisbelow(True)
    return dict(zip(names, axes, strict=True))


def _scatter(axes: Any, trace: Mapping[str, Any]) -> Any:
    """Draw a line, markers, an outline or several of these; return its handle for a legend."""
    x, y = plain_values(trace["x"]), plain_values(trace["y"])
    mode, line, marker = trace["mode"], trace.get("line", {}), trace.get("marker", {})
    colour = line.get("color") or marker.get("color")
    if trace.get("fill") == "toself":
        known = np.isfinite(x) & np.isfinite(y)
        axes.fill(x[known], y[known], facecolor=trace["fillcolor"], linewidth=0)
        if not line.get("width"):
            return None
    for way in "xy":
        if error := trace.get(f"error_{way}"):
            _bars(axes, x, y, way, error)
    (handle,) = axes.plot(
        x,
        y,
        color=colour,
        linestyle=DASHES[line.get("dash")] if "lines" in mode else "none",
        linewidth=POINT * line.get("width", 2),
        marker=SYMBOLS[marker.get("symbol", "circle")] if "markers" in mode else "none",
        markersize=POINT * marker.get("size", 6),
        markerfacecolor=marker.get("color") or colour,
        markeredgecolor=marker.get("line", {}).get("color") or marker.get("color") or colour,
        markeredgewidth=POINT * marker.get("line", {}).get("width", 0),
    )
    return handle


def _bars(axes: Any, x: np.ndarray, y: np.ndarray, way: str, error: Mapping[str, Any]) -> None:
    """Draw error bars; those without a length are left out."""
    up = plain_values(error["array"])
    down = plain_values(error["arrayminus"]) if "arrayminus" in error else up
    lengths = np.nan_to_num(np.stack([down, up])).clip(0)
    axes.errorbar(
        x,
        y,
        **{f"{way}err": lengths},
        fmt="none",
        ecolor=error.get("color"),
        elinewidth=POINT * error.get("thickness", 2),
        capsize=POINT * error.get("width", 4),
    )


def _heatmap(axes: Any, trace: Mapping[str, Any]) -> None:
    """Draw a matrix of colours with its texts and its colour bar."""
    from matplotlib.colors import LinearSegmentedColormap

    z = np.stack([plain_values(row) for row in trace["z"]])
    colours = LinearSegmentedColormap.from_list("matrix", [tuple(s) for s in trace["colorscale"]])
    picture = axes.imshow(z, cmap=colours, vmin=trace["zmin"], vmax=trace["zmax"], aspect="auto")
    for i, row in enumerate(trace["text"]):
        for j, text in enumerate(row):
            axes.text(j, i, text, ha="center", va="center", size=FONT)
    bar = axes.figure.colorbar(picture, ax=axes, ticks=trace["colorbar"]["tickvals"])
    bar.set_label(plain_label(trace["colorbar"]["title"]["text"]), size=FONT)
    bar.ax.tick_params(labelsize=FONT)
    bar.outline.set_visible(False)


def _line(axes: Any, line: Mapping[str, Any]) -> None:
    style = line["line"]
    options = {"color": style["color"], "linewidth": POINT * style["width"]}
    options["linestyle"] = DASHES[style.get("dash")]
    if "domain" in line.get("yref", ""):
        axes.axvline(line["x0"], **options)
    else:
        axes.plot([line["x0"], line["x1"]], [line["y0"], line["y1"]], scalex=False, scaley=False,
                  **options)  # fmt: skip
