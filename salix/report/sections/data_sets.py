"""Section: AUC of each detector on each data set."""

import numpy as np

from salix.analysis import Analysis
from salix.analysis.auc_matrix import auc_matrix
from salix.analysis.run_metrics import AUC
from salix.analysis.summary import plain_interval
from salix.report.export import record
from salix.report.section import Section, read_template

DARKEST = 0.34  # opacity of the colour behind an AUC of 0 or 1


def build(analysis: Analysis) -> Section | None:
    """Tabulate detectors by data sets; None for fewer than two data sets."""
    matrix = auc_matrix(analysis.frames)
    if matrix is None:
        return None
    rows = list(zip(matrix.detectors, matrix.groups, matrix.cells, matrix.runs, strict=True))
    cells = [
        (detector, groups, data_set, interval)
        for detector, groups, intervals, _ in rows
        for data_set, interval in zip(matrix.data_sets, intervals, strict=True)
        if interval is not None
    ]
    return Section(
        "data-sets",
        "Detectors and data sets",
        read_template(__file__),
        {
            "matrix": matrix,
            "rows": rows,
            "column": AUC.columns[0],
            "shade": shade,
            "classes": _classes(analysis),
        },
        link="Data sets",
        records=[record("data set", g[0], None, "auc", f"{d} on {s}", i) for d, g, s, i in cells],
        data={
            "auc_by_data_set": [
                {"detector": d, "data_set": s, "auc": plain_interval(i)} for d, _, s, i in cells
            ]
        },
    )


def _classes(analysis: Analysis) -> tuple[str, str]:
    """Return the names of both classes."""
    zero, one = next(f.classes for f in analysis.frames if AUC.applies(f))
    return zero, one


def shade(value: float) -> str:
    """Return the background of an AUC: blue above 0.5, orange below, white for an undefined one."""
    if not np.isfinite(value):
        return "none"
    colour = "0, 114, 178" if value >= 0.5 else "196, 78, 0"
    return f"rgba({colour}, {2 * abs(value - 0.5) * DARKEST:.3f})"
