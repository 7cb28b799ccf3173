"""Axes of a page's figure set in matplotlib: scales, limits, ticks, grid and titles."""

from base64 import b64decode
from collections.abc import Mapping
from html import unescape
from typing import Any

import numpy as np

FONT = 8.0  # points


def axis_settings(layout: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the settings of an axis by its short name, such as x2."""
    return layout.get(f"{name[0]}axis{name[1:]}", {})


def plain_values(values: Any) -> np.ndarray:
    """Return the numbers of plotly's JSON: a list with None, or an array as base64."""
    if isinstance(values, Mapping):
        array = np.frombuffer(b64decode(values["bdata"]), np.dtype(values["dtype"]))
        shape = [int(n) for n in str(values.get("shape", len(array))).split(",")]
        return array.reshape(shape).astype(np.float64)
    return np.array([np.nan if v is None else v for v in values], np.float64)


def plain_label(text: str) -> str:
    """Return a text of plotly, which has a little HTML, as plain text."""
    return unescape(text.replace("<br>", "\n"))


def style_panel(axes: Any, layout: Mapping[str, Any], name: str) -> None:
    """Set scales, limits, ticks, grid and titles of both axes of a panel."""
    for way, own in (("x", axes.xaxis), ("y", axes.yaxis)):
        settings = axis_settings(layout, way + name[1:])
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
            own.set_label_text(plain_label(title), fontsize=FONT, parse_math=False)


def _set_ticks(axis: Any, settings: Mapping[str, Any]) -> None:
    from matplotlib.ticker import MultipleLocator, NullLocator, PercentFormatter

    axis.set_minor_locator(NullLocator())
    if settings.get("dtick"):
        axis.set_major_locator(MultipleLocator(settings["dtick"]))
    if settings.get("tickformat") == ".0%":
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    if "tickvals" in settings:
        places = plain_values(settings["tickvals"])
        texts = [plain_label(t) for t in settings.get("ticktext", map(str, settings["tickvals"]))]
        axis.set_ticks(places, texts)
    if settings.get("showticklabels") is False:
        axis.set_tick_params(labelleft=False, labelbottom=False)
    for label in axis.get_ticklabels():
        label.set_parse_math(False)
        if angle := settings.get("tickangle"):
            label.set(rotation=-angle, ha="right", rotation_mode="anchor")


def title_panel(
    panels: Mapping[str, Any], layout: Mapping[str, Any], note: Mapping[str, Any]
) -> None:
    """Set the title of the panel that an annotation stands above."""
    centres = {n: np.mean(axis_settings(layout, n).get("domain", [0, 1])) for n in panels}
    nearest = min(centres, key=lambda n: abs(centres[n] - note["x"]))
    panels[nearest].set_title(plain_label(note["text"]), fontsize=FONT + 1, parse_math=False)
