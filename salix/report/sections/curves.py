"""Section: ROC and DET curves, score histograms and calibration of detectors."""

from salix.analysis import Analysis
from salix.analysis.detector_curves import DetectorCurve, detector_curves
from salix.analysis.summary import plain_interval
from salix.report.curve_figures import det_figure, histogram_figure, reliability_figure, roc_figure
from salix.report.palette import Palette
from salix.report.section import Section, format_count, in_groups, read_template


def build(analysis: Analysis) -> Section | None:
    """Draw the curves of each run; None where no run has two logits and labels of both classes."""
    curves = detector_curves(analysis.frames)
    if curves is None:
        return None
    palette = Palette(analysis.groups)
    figures = {
        "ROC": roc_figure(curves, palette),
        "DET": det_figure(curves, palette),
        "Scores": histogram_figure(curves, palette),
        "Calibration": reliability_figure(curves, palette),
    }
    return Section(
        "curves",
        "Decisions at every threshold",
        read_template(__file__),
        {
            "curves": curves.curves,
            "figures": figures,
            "groups": list(dict.fromkeys(c.group for c in curves.curves)),
            "images": {c.run: _images(c) for c in curves.curves},
            "clustered": any(c.auc.clusters for c in curves.curves),
        },
        link="Curves",
        figures=tuple(figures.values()),
        data={"curves": [_plain(c) for c in curves.curves]},
    )


def _images(curve: DetectorCurve) -> str:
    zero, one = curve.counts
    return in_groups(f"{format_count(one)} + {format_count(zero)}", curve.auc.clusters)


def _plain(curve: DetectorCurve) -> dict[str, object]:
    own = curve.calibration
    return {
        "run": curve.run,
        "images": list(curve.counts),
        "clusters": curve.auc.clusters,
        "auc": plain_interval(curve.auc),
        "equal_error": curve.equal_error,
        "calibration_error": own.error,
        "calibration_error_by_chance": own.chance,
    }
