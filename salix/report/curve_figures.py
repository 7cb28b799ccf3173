"""Figures of the curves of detectors: ROC, DET, score histograms and reliability."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from salix.analysis.detector_curves import DetectorCurve, DetectorCurves
from salix.report.figure import GREY_AXIS, Figure, lay_out, make_figure, plain_text
from salix.report.palette import Palette
from salix.stats import det_coordinates, drawn_points

HEIGHT = 360
ROW = 52  # pixels of a run's histograms
POINTS, LEAST_POINTS, MOST_POINTS = 6000, 60, 300  # of all curves of a figure, and of one
LEAST_RATE = 5e-4  # of the DET curve
TICKS = (0.001, 0.01, 0.05, 0.2, 0.5)
SHOWN_RATE = 0.6  # greatest rate of the DET curve
LONGEST = 24  # letters of a name on the axis
GREY, FILL = "#77776f", "#77776f44"
MARGIN = {"l": 52, "r": 12, "t": 12, "b": 46}


def roc_figure(curves: DetectorCurves, palette: Palette) -> Figure:
    """Draw the ROC curves of all runs."""
    drawing = _lines(curves.curves, palette, _of_roc, "false %{x:.2%}, true %{y:.2%}")
    _diagonal(drawing)
    drawing.update_xaxes(title="false positive rate", range=[0, 1], tickformat=".0%", dtick=0.25)
    drawing.update_yaxes(title="true positive rate", range=[0, 1.005], tickformat=".0%")
    return _finished("curves-roc", "ROC curve of each run", drawing)


def det_figure(curves: DetectorCurves, palette: Palette) -> Figure:
    """Draw the DET curves of all runs: misses over false detections, as normal deviates."""
    drawing = _lines(curves.curves, palette, _of_det, "%{text}")
    ticks = det_coordinates(np.array(TICKS), least=LEAST_RATE).round(4).tolist()
    ends = det_coordinates(np.array([0.0, SHOWN_RATE]), least=LEAST_RATE).tolist()
    axis = {"tickvals": ticks, "ticktext": [f"{100 * t:g}%" for t in TICKS], "range": ends}
    drawing.update_xaxes(title="false positive rate", **axis)
    drawing.update_yaxes(title="miss rate", **axis)
    return _finished("curves-det", "DET curve of each run", drawing)


def _of_roc(curve: DetectorCurve) -> tuple[np.ndarray, np.ndarray]:
    return curve.fpr, curve.tpr


def _of_det(curve: DetectorCurve) -> tuple[np.ndarray, np.ndarray]:
    x, y = (det_coordinates(rate, least=LEAST_RATE) for rate in (curve.fpr, 1 - curve.tpr))
    return x, y


def _lines(
    curves: Sequence[DetectorCurve],
    palette: Palette,
    coordinates: Callable[[DetectorCurve], tuple[np.ndarray, np.ndarray]],
    template: str,
) -> Any:
    import plotly.graph_objects as go

    drawing = go.Figure()
    most = max(LEAST_POINTS, min(MOST_POINTS, POINTS // len(curves)))
    for curve in curves:
        x, y = coordinates(curve)
        places = drawn_points(x, y, most=most)
        texts = [
            f"false {100 * f:.2f}%, missed {100 * (1 - t):.2f}%"
            for f, t in zip(curve.fpr[places], curve.tpr[places], strict=True)
        ]
        line = go.Scatter(x=x[places].round(4).tolist(), y=y[places].round(4).tolist())
        line.update(mode="lines", line={"color": palette[curve.group].colour, "width": 1.6})
        line.update(hovertemplate=f"{plain_text(curve.run)}<br>{template}<extra></extra>")
        line.update(text=texts if "text" in template else None, showlegend=False)
        line.update(name=plain_text(curve.group))
        drawing.add_trace(line)
    return drawing


def reliability_figure(curves: DetectorCurves, palette: Palette) -> Figure:
    """Draw the share of class 1 over the mean probability of each bin of each run."""
    import plotly.graph_objects as go

    drawing: Any = go.Figure()
    _diagonal(drawing)
    for curve in curves.curves:
        swatch, own = palette[curve.group], curve.calibration
        values = np.array([s.value for s in own.shares])
        ends = np.array([[s.high, s.low] for s in own.shares]).reshape(-1, 2)
        lengths = np.nan_to_num(np.abs(ends - values[:, None])).round(4)
        error = {"array": lengths[:, 0].tolist(), "arrayminus": lengths[:, 1].tolist()}
        error |= {"color": swatch.colour, "thickness": 1, "width": 0}
        texts = [
            f"{plain_text(curve.run)}<br>mean P {p:.3f}, share {s.value:.3f}, {n} images"
            for p, s, n in zip(own.probabilities, own.shares, own.counts, strict=True)
        ]
        line = go.Scatter(x=own.probabilities.round(4).tolist(), y=values.round(4).tolist())
        line.update(mode="lines+markers", line={"color": swatch.colour, "width": 1.2})
        line.update(marker={"symbol": swatch.shape, "size": 7}, error_y=error)
        line.update(text=texts, hoverinfo="text", showlegend=False, name=plain_text(curve.group))
        drawing.add_trace(line)
    one = plain_text(curves.curves[0].classes[1])
    drawing.update_xaxes(title=f"mean P({one}) of a bin", range=[-0.02, 1.02])
    drawing.update_yaxes(title=f"share of {one}", range=[-0.02, 1.02])
    return _finished("curves-reliability", "Reliability diagram of each run", drawing)


def histogram_figure(curves: DetectorCurves, palette: Palette) -> Figure:
    """Draw the histograms of the log odds of both classes, a row a run."""
    import plotly.graph_objects as go

    drawing: Any = go.Figure()
    runs = curves.curves
    for i, curve in enumerate(runs):
        base, peak = float(len(runs) - 1 - i), curve.histograms.max() or 1.0
        swatch = palette[curve.group]
        for k, (line, fill) in enumerate(((GREY, FILL), (swatch.colour, swatch.colour + "55"))):
            drawing.add_trace(_outline(curves.edges, base, curve.histograms[k] / peak, line, fill))
    names = [plain_text(_short(c.run)) for c in reversed(runs)]
    low, high = float(curves.edges[0]), float(curves.edges[-1])
    zero, one = (plain_text(name) for name in runs[0].classes)
    drawing.add_vline(x=0, line={"color": GREY, "dash": "dot", "width": 1})
    drawing.update_xaxes(title=f"log odds: {zero} below 0, {one} above", range=[low, high])
    drawing.update_xaxes(**GREY_AXIS)
    drawing.update_yaxes(tickvals=list(range(len(names))), ticktext=names, automargin=True)
    drawing.update_yaxes(range=[-0.2, len(names)], **GREY_AXIS)
    lay_out(drawing, height=max(HEIGHT, 90 + ROW * len(names)), margin=MARGIN | {"l": 8})
    return make_figure("curves-scores", "Histograms of the scores of each run", drawing)


def _outline(edges: np.ndarray, base: float, heights: np.ndarray, line: str, fill: str) -> Any:
    import plotly.graph_objects as go

    x = np.repeat(edges, 2).round(4).tolist()
    y = np.concatenate([[base], np.repeat(base + 0.86 * heights, 2), [base]]).round(4).tolist()
    outline = go.Scatter(x=x, y=y, mode="lines", fill="toself", fillcolor=fill)
    return outline.update(line={"color": line, "width": 1}, hoverinfo="skip", showlegend=False)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _diagonal(drawing: Any) -> None:
    line = {"color": "#b9b9b2", "dash": "dot", "width": 1}
    drawing.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line=line)


def _finished(id: str, label: str, drawing: Any) -> Figure:
    drawing.update_xaxes(**GREY_AXIS)
    drawing.update_yaxes(**GREY_AXIS)
    lay_out(drawing, height=HEIGHT, margin=MARGIN)
    return make_figure(id, label, drawing)
