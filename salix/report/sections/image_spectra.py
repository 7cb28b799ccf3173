"""Section: radially averaged power spectra of the images, a line a generator."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from salix.analysis import Analysis
from salix.analysis.columns import DASH
from salix.analysis.generators import GeneratorRule
from salix.analysis.image_spectra import (
    IMAGES,
    GeneratorSpectrum,
    ImageSpectra,
    choose_spectrum_images,
    image_spectra,
)
from salix.data import Source
from salix.report.figure import GREY_AXIS, Figure, lay_out, make_figure, plain_text
from salix.report.image_crops import read_powers
from salix.report.palette import Palette
from salix.report.section import Section, in_groups, read_template
from salix.report.sections.spectra import TICKS
from salix.stats import Interval

HEIGHT = 340
FINEST = 0.01  # cycles per pixel: the left end of the axis


def build(
    analysis: Analysis, *, data: Source | None = None, generators: GeneratorRule = "subset"
) -> Section | None:
    """Draw the spectra of the swept images, a source; None without it, or where none is read."""
    if data is None:
        return None
    images = choose_spectrum_images(analysis.frames, generators)
    powers = read_powers(data, images.ids)
    spectra = None if powers is None else image_spectra(images, powers)
    if spectra is None:
        return None
    palette = Palette(tuple(s.generator for s in spectra.spectra))
    figure = _draw(spectra, palette)
    return Section(
        "image-spectra",
        "Spectra of the images",
        read_template(__file__),
        {
            "figure": figure,
            "palette": palette,
            "spectra": spectra,
            "most": IMAGES,
            "rows": [_row(s) for s in spectra.spectra],
        },
        link="Image spectra",
        figures=(figure,),
        data={"image_spectra": _plain(spectra)},
    )


def _draw(spectra: ImageSpectra, palette: Palette) -> Figure:
    from plotly.subplots import make_subplots

    compared = len(spectra.spectra) > 1
    titles = ["Power", f"Difference from {plain_text(spectra.reference)}"][: 1 + compared]
    drawing: Any = make_subplots(1, len(titles), subplot_titles=titles, horizontal_spacing=0.08)
    for s in spectra.spectra:
        for panel, intervals in enumerate((s.power, s.difference), 1):
            if intervals is not None:
                traces = _traces(s.generator, spectra.frequencies, intervals, palette)
                for trace in traces:
                    drawing.add_trace(trace, 1, panel)
    ends = [np.log10(max(FINEST, spectra.frequencies[0])), np.log10(0.52)]
    drawing.update_xaxes(title="cycles per pixel", type="log", range=ends, **GREY_AXIS)
    drawing.update_xaxes(tickvals=list(TICKS), ticktext=[f"{t:g}" for t in TICKS])
    drawing.update_yaxes(**GREY_AXIS)
    drawing.update_yaxes(title="log10 of power", col=1)
    lay_out(drawing, height=HEIGHT, margin={"l": 52, "r": 12, "t": 34, "b": 46})
    return make_figure("spectra-images", "Power spectra of the images of each generator", drawing)


def _traces(
    name: str, frequencies: np.ndarray, intervals: Sequence[Interval], palette: Palette
) -> tuple[Any, Any]:
    """Return the band of the intervals and the line of the means."""
    import plotly.graph_objects as go

    values = np.array([[i.value, i.low, i.high] for i in intervals]).round(4)
    values = np.where(np.isfinite(values), values, values[:, :1])
    x, colour = frequencies.round(4).tolist(), palette[name].colour
    band = go.Scatter(x=x + x[::-1], y=[*values[:, 1], *values[::-1, 2]], mode="lines")
    band.update(fill="toself", fillcolor=colour + "33", line={"width": 0}, hoverinfo="skip")
    line = go.Scatter(x=x, y=values[:, 0].tolist(), mode="lines", showlegend=False)
    line.update(line={"color": colour, "width": 1.6}, name=plain_text(name))
    line.update(hovertemplate=f"{plain_text(name)}<br>%{{x}}: %{{y:.2f}}<extra></extra>")
    return band.update(showlegend=False), line


def _thirds(intervals: Sequence[Interval], sign: str = "") -> list[str]:
    """Write the means over the lower, middle and upper third of the frequencies."""
    values = np.array([i.value for i in intervals] or [np.nan] * 3)
    known = [part[np.isfinite(part)] for part in np.array_split(values, 3)]
    return [f"{p.mean():{sign}.2f}".replace("-", "−") if p.size else DASH for p in known]


def _row(s: GeneratorSpectrum) -> tuple[Any, ...]:
    images = in_groups(s.power[0].n, s.power[0].clusters)
    return s, images, list(zip(_thirds(s.power), _thirds(s.difference or (), "+"), strict=True))


def _plain(spectra: ImageSpectra) -> dict[str, Any]:
    return {
        "side": spectra.side,
        "reference": spectra.reference,
        "frequencies": spectra.frequencies.tolist(),
        "generators": {
            s.generator: [[_number(v) for v in (i.value, i.low, i.high)] for i in s.power]
            for s in spectra.spectra
        },
    }


def _number(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
