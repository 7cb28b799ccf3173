"""Section: radially averaged power spectra of the maps, a panel a class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from salix.analysis import Analysis
from salix.analysis.spectra import Spectrum, map_spectra
from salix.report.figure import GREY_AXIS, Figure, lay_out, make_figure, plain_text
from salix.report.palette import Palette
from salix.report.section import Section, read_template

HEIGHT = 320
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5)  # cycles per pixel


def build(analysis: Analysis) -> Section | None:
    """Draw the spectra of labelled maps; None where no run has maps of enough pixels and labels."""
    spectra = map_spectra([f for f in analysis.frames if (f.labels >= 0).any()])
    if not spectra:
        return None
    palette, labels = Palette(analysis.groups), list(dict.fromkeys(s.label for s in spectra))
    figure = _draw(spectra, labels, palette)
    return Section(
        "spectra",
        "Spectra of the maps",
        read_template(__file__),
        {
            "figure": figure,
            "spectra": spectra,
            "groups": list(dict.fromkeys(s.group for s in spectra)),
            "rows": [(s, *_thirds(s)) for s in spectra],
        },
        link="Spectra",
        figures=(figure,),
    )


def _draw(spectra: Sequence[Spectrum], labels: Sequence[str], palette: Palette) -> Figure:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    titles = [plain_text(label) for label in labels]
    drawing: Any = make_subplots(
        1, len(labels), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03
    )
    for s in spectra:
        values = np.array([[i.value, i.low, i.high] for i in s.power])
        values = np.where(np.isfinite(values), values, values[:, :1])
        x, colour = s.frequencies.round(4).tolist(), palette[s.group].colour
        band = go.Scatter(x=x + x[::-1], y=[*values[:, 1], *values[::-1, 2]], mode="lines")
        band.update(fill="toself", fillcolor=colour + "33", line={"width": 0})
        line = go.Scatter(x=x, y=values[:, 0].round(4).tolist(), mode="lines")
        line.update(line={"color": colour, "width": 1.6}, name=plain_text(s.group))
        line.update(hovertemplate=f"{plain_text(s.run)}<br>%{{x}}: %{{y:.2f}}<extra></extra>")
        for trace in (band.update(hoverinfo="skip"), line):
            drawing.add_trace(trace.update(showlegend=False), 1, labels.index(s.label) + 1)
    drawing.update_xaxes(title="cycles per pixel", type="log", **GREY_AXIS)
    drawing.update_xaxes(tickvals=list(TICKS), ticktext=[f"{t:g}" for t in TICKS])
    drawing.update_yaxes(**GREY_AXIS)
    drawing.update_yaxes(title="log10 of power", col=1)
    lay_out(drawing, height=HEIGHT, margin={"l": 52, "r": 12, "t": 34, "b": 46})
    return make_figure("spectra-maps", "Power spectra of the maps of each run", drawing)


def _thirds(s: Spectrum) -> tuple[float, ...]:
    """Return the mean power in the lower, middle and upper third of the frequencies."""
    parts = np.array_split(np.array([i.value for i in s.power]), 3)
    return tuple(float(np.nanmean(part)) for part in parts)
