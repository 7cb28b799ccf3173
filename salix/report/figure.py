"""Plotly figures as JSON in the page, and the style that they share."""

import json
from dataclasses import dataclass
from html import escape
from typing import Any

FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif"
GREY_AXIS = {"gridcolor": "#e4e4e0", "zeroline": False, "fixedrange": True}


@dataclass(frozen=True)
class Figure:
    """A figure for plotly's script: its `json`, safe inside HTML, and its height in pixels."""

    id: str
    label: str  # for readers who cannot see it
    json: str
    height: int


def make_figure(id: str, label: str, drawing: Any) -> Figure:
    """Return a plotly figure as a `Figure`."""
    from jinja2.utils import htmlsafe_json_dumps

    text = htmlsafe_json_dumps(json.loads(str(drawing.to_json())))
    return Figure(id, label, text, int(drawing.layout.height))


def lay_out(drawing: Any, *, height: int, margin: dict[str, int], **options: Any) -> None:
    """Give a plotly figure the fonts and margins of the page."""
    drawing.update_annotations(font={"size": 13})
    drawing.update_layout(
        template=None,
        height=height,
        margin=margin,
        font={"family": FONT, "size": 12, "color": "#1c1c1a"},
        hovermode="closest",
        **options,
    )


def plain_text(text: str) -> str:
    """Escape a name for plotly, which reads a little HTML in its texts."""
    return escape(text).replace("\n", " ")
