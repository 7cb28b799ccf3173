"""The figure of a family: a panel a quantity, a line a group over numbers, a mark over names."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis.series import Family, Split, course, families, splits
from salix.analysis.summary import Group, Numbers
from salix.report.palette import Mark
from salix.report.sections.distributions import FONT, plain_text
from salix.stats import Interval
from salix.store import Run

HEIGHT = 300  # pixels of a panel of lines
LINE = 26  # pixels of a name on the axis


@dataclass(frozen=True)
class Courses:
    """A family with its figure for plotly's script, its table, and how decisions bear on it."""

    id: str
    family: Family
    data: dict[str, Any]
    table: tuple[tuple[str, str, tuple[Interval, ...]], ...]  # group, quantity, places
    splits: tuple[Split, ...]
    note: str


def all_courses(runs: Sequence[Run], numbers: Numbers, marks: Mapping[str, Mark]) -> list[Courses]:
    """Draw every family that any run holds."""
    found = []
    for i, family in enumerate(families(runs)):
        table = tuple(
            (g.name, family.column(q).name, tuple(c))
            for q in family.columns
            for g in numbers.groups
            if (c := course(g, q.name))
        )
        data = _draw(family, numbers.groups, marks)
        split = tuple(splits(runs, numbers, family))
        found.append(Courses(f"course-{i}", family, data, table, split, _note(family, numbers)))
    return found


def _draw(family: Family, groups: Sequence[Group], marks: Mapping[str, Mark]) -> dict[str, Any]:
    from plotly.subplots import make_subplots

    panels = [family.column(q) for q in family.drawn]
    titles = [plain_text(c.name) for c in panels]
    made = make_subplots(1, len(panels), subplot_titles=titles, horizontal_spacing=0.05)
    places = np.arange(len(family.at)) if not family.numeric else np.array(family.at, float)
    for column, quantity in enumerate(family.drawn, 1):
        for n, group in enumerate(groups):
            found = course(group, quantity.name)
            if found:
                shift = 0.0 if family.numeric else 0.5 * ((n + 0.5) / len(groups) - 0.5)
                along = places[: len(found)] + shift
                made.add_trace(_trace(group, marks[group.name], found, along, family), 1, column)
    _dress(made, family, panels)
    return json.loads(str(made.to_json()))


def _trace(group: Group, mark: Mark, found: Sequence[Interval], along: Any, family: Family) -> Any:
    import plotly.graph_objects as go

    values = [i.value if np.isfinite(i.value) else None for i in found]
    up, down = ([_length(i, end) for i in found] for end in ("high", "low"))
    error = {"array": up, "arrayminus": down, "thickness": 1.2, "width": 3, "color": mark.colour}
    places = along.round(4).tolist()
    x, y = (places, values) if family.numeric else (values, places)
    text = [f"{plain_text(group.name)}<br>{plain_text(str(at))}" for at in family.at]
    return go.Scatter(
        x=x,
        y=y,
        error_y=error if family.numeric else None,
        error_x=None if family.numeric else error,
        mode="lines+markers" if family.numeric else "markers",
        line={"color": mark.colour, "width": 1.6},
        marker={"color": mark.colour, "symbol": mark.shape, "size": 7},
        text=text,
        hovertemplate="%{text}<br>%{y:.3f}" if family.numeric else "%{text}<br>%{x:.3f}",
        hoverlabel={"namelength": 0},
        showlegend=False,
    )


def _length(i: Interval, end: str) -> float:
    length = abs(getattr(i, end) - i.value)
    return round(length, 5) if np.isfinite(length) else 0.0


def _dress(made: Any, family: Family, panels: Sequence[Any]) -> None:
    grey = {"gridcolor": "#e4e4e0", "zeroline": False, "fixedrange": True}
    names = [plain_text(str(at)) for at in family.at]
    for i, column in enumerate(panels, 1):
        scale = {} if column.low is None or column.high is None else {"autorange": True}
        bounds = {"rangemode": "tozero"} | scale
        if family.numeric:
            made.update_yaxes(row=1, col=i, title=None, **grey, **bounds)
            made.update_xaxes(row=1, col=i, title=plain_text(family.axis), **grey)
        else:
            made.update_xaxes(row=1, col=i, **grey, **bounds)
            made.update_yaxes(
                row=1,
                col=i,
                tickvals=list(range(len(names))),
                ticktext=names if i == 1 else [""] * len(names),
                range=[len(names) - 0.4, -0.6],
                automargin=True,
                **grey,
            )
    made.update_annotations(font={"size": 13})
    made.update_layout(
        template=None,
        height=HEIGHT if family.numeric else 90 + LINE * len(names),
        margin={"l": 44, "r": 16, "t": 34, "b": 46},
        font={"family": FONT, "size": 12, "color": "#1c1c1a"},
        hovermode="closest",
    )


def _note(family: Family, numbers: Numbers) -> str:
    """Say what the marks and their bars are made from."""
    name = family.columns[0].name
    counts = [i.n for r in numbers.runs for i in r.series.get(name, ())]
    several = [sum(name in r.series for r in g.runs) > 1 for g in numbers.groups]
    over = "runs" if all(several) else "runs, or images for a single run" if any(several) else ""
    images = f"{min(counts)}–{max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
    return f"{images} images a run; bars: 95 % over {over or 'images'}"
