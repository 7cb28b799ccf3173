"""Figures of the page drawn by matplotlib, for files: the same numbers, colours and axes."""

import json
from base64 import b64decode
from collections.abc import Mapping
from html import unescape
from typing import Any

import numpy as np

from salix.plot.canvas import new_figure
from salix.report.figure import Figure

WIDE, NARROW = 7.4, 5.2  # inches, of several panels and of one
INCH, POINT = 1 / 96, 0.75  # of a pixel
FONT = 8.0  # points
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
                    handles.setdefault(_text(name), handle)
            case "heatmap":
                _heatmap(axes, trace)
            case other:
                raise ValueError(f"{figure.id} has a trace of type {other!r}, which is not drawn")
    for line in layout.get("shapes", ()):
        _line(panels[line.get("xref", "x")], line)
    for name, axes in panels.items():
        _style(axes, layout, name)
    for note in layout.get("annotations", ()):
        _titled(panels, layout, note)
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
    names.sort(key=lambda n: _axis(layout, n).get("domain", [0, 1])[0])
    figure = new_figure(WIDE if len(names) > 1 else NARROW, height * INCH * HEIGHT)
    shared = any("matches" in layout[n] for n in layout if n.startswith("yaxis"))
    axes = figure.subplots(1, len(names), squeeze=False, sharey=shared)[0]
    for own in axes:
        own.spines[:].set_visible(False)
        own.tick_params(length=0, labelsize=FONT)
        own.set_axisbelow(True)
    return dict(zip(names, axes, strict=True))


def _axis(layout: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the settings of an axis by its short name, such as x2."""
    return layout.get(f"{name[0]}axis{name[1:]}", {})


def _values(values: Any) -> np.ndarray:
    """Return the numbers of plotly's JSON: a list with None, or an array as base64."""
    if isinstance(values, Mapping):
        array = np.frombuffer(b64decode(values["bdata"]), np.dtype(values["dtype"]))
        shape = [int(n) for n in str(values.get("shape", len(array))).split(",")]
        return array.reshape(shape).astype(np.float64)
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _text(text: str) -> str:
    return unescape(text.replace("<br>", "\n"))


def _scatter(axes: Any, trace: Mapping[str, Any]) -> Any:
    """Draw a line, markers, an outline or several of these; return its handle for a legend."""
    x, y = _values(trace["x"]), _values(trace["y"])
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
    up = _values(error["array"])
    down = _values(error["arrayminus"]) if "arrayminus" in error else up
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

    z = np.stack([_values(row) for row in trace["z"]])
    colours = LinearSegmentedColormap.from_list("matrix", [tuple(s) for s in trace["colorscale"]])
    picture = axes.imshow(z, cmap=colours, vmin=trace["zmin"], vmax=trace["zmax"], aspect="auto")
    for i, row in enumerate(trace["text"]):
        for j, text in enumerate(row):
            axes.text(j, i, text, ha="center", va="center", size=FONT)
    bar = axes.figure.colorbar(picture, ax=axes, ticks=trace["colorbar"]["tickvals"])
    bar.set_label(_text(trace["colorbar"]["title"]["text"]), size=FONT)
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


def _style(axes: Any, layout: Mapping[str, Any], name: str) -> None:
    """Set scales, limits, ticks, grid and titles of both axes of a panel."""
    for way, own in (("x", axes.xaxis), ("y", axes.yaxis)):
        settings = _axis(layout, way + name[1:])
        limits = settings.get("range")
        set_limits = getattr(axes, f"set_{way}lim")
        if settings.get("type") == "log":
            getattr(axes, f"set_{way}scale")("log")
            limits = None if limits is None else [10.0**v for v in limits]
        _set_ticks(own, settings)
        if limits is not None:
            set_limits(limits)
        elif settings.get("rangemode") == "tozero":
            low, high = getattr(axes, f"get_{way}lim")()
            set_limits(min(low, 0), max(high, 0))
        if settings.get("showgrid") is not False:
            own.grid(True, color=settings.get("gridcolor", "#e4e4e0"), linewidth=0.6)
        if title := (settings.get("title") or {}).get("text"):
            own.set_label_text(_text(title), fontsize=FONT, parse_math=False)


def _set_ticks(axis: Any, settings: Mapping[str, Any]) -> None:
    from matplotlib.ticker import MultipleLocator, NullLocator, PercentFormatter

    axis.set_minor_locator(NullLocator())
    if settings.get("dtick"):
        axis.set_major_locator(MultipleLocator(settings["dtick"]))
    if settings.get("tickformat") == ".0%":
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    if "tickvals" in settings:
        places = _values(settings["tickvals"])
        texts = [_text(t) for t in settings.get("ticktext", map(str, settings["tickvals"]))]
        axis.set_ticks(places, texts)
    if settings.get("showticklabels") is False:
        axis.set_tick_params(labelleft=False, labelbottom=False)
    for label in axis.get_ticklabels():
        label.set_parse_math(False)
        if angle := settings.get("tickangle"):
            label.set(rotation=-angle, ha="right", rotation_mode="anchor")


def _titled(panels: Panels, layout: Mapping[str, Any], note: Mapping[str, Any]) -> None:
    """Set the title of the panel that an annotation stands above."""
    centres = {n: np.mean(_axis(layout, n).get("domain", [0, 1])) for n in panels}
    nearest = min(centres, key=lambda n: abs(centres[n] - note["x"]))
    panels[nearest].set_title(_text(note["text"]), fontsize=FONT + 1, parse_math=False)
