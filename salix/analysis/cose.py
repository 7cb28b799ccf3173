"""COSE of a run, from the columns that the measure of that name wrote."""

import numpy as np

from salix.analysis import frame
from salix.analysis.columns import TableColumn
from salix.analysis.cose_scores import cose_scores
from salix.stats import Interval
from salix.store import Run

DRAWS = 1000
COLUMNS = (
    TableColumn("cose", "COSE", "higher is better", 0.0, 1.0),
    TableColumn("cose_consistency", "COSE: consistency", "higher is better", -1.0, 1.0),
    TableColumn("cose_fidelity", "COSE: 1 − sensitivity", "lower is better", -1.0, 1.0),
)


def cose_numbers(run: Run) -> dict[str, Interval]:
    r"""Return COSE, its consistency C and its F of the labelled images of a run, if it has them.

    $\sqrt{C (1 - F)}$ over image changes alone. Limits are percentiles of a bootstrap of images;
    `n` counts pairs of an image and a change, for COSE the fewer of the two.

    Daroya, Sun and Maji (2023), arXiv:2309.10989.
    """
    columns = frame.measured(run)
    told = run.columns.get("cose_similarity")
    if told is None or "cose_similarity" not in columns or not (columns["label"] >= 0).any():
        return {}
    known = columns["label"] >= 0
    s, after = (columns[f"cose_{name}"][known] for name in ("similarity", "predicted"))
    before, label = columns["predicted"][known], columns["label"][known]
    names = tuple(str(at).rsplit(" ", 1)[0] for at in told.coordinates)
    found = cose_scores(names, s, after, before, label)
    low, high = _limits(s, after, before, label)
    values = (found.cose, found.consistency.value, found.fidelity.value)
    few = min(found.consistency.n, found.fidelity.n)
    counts = (few, found.consistency.n, found.fidelity.n)
    keys = [c.key for c in COLUMNS]
    each = zip(keys, values, low, high, counts, strict=True)
    return {key: Interval(value, lo, hi, n) for key, value, lo, hi, n in each}


def _limits(
    s: np.ndarray, after: np.ndarray, before: np.ndarray, label: np.ndarray
) -> tuple[list[float], list[float]]:
    """Return the 95 % limits of the three numbers; images are drawn with all their changes."""
    known, right = np.isfinite(s) & np.isfinite(after), (before == label)[:, None]
    kept, lost = (right & (hit == (after == label[:, None])) & known for hit in (True, False))
    sums = np.stack([f for m in (kept, lost) for f in (np.where(m, s, 0).sum(1), m.sum(1))], 1)
    rng, n = np.random.default_rng(0), len(s)
    drawn = np.stack([rng.multinomial(n, np.full(n, 1 / n)) @ sums for _ in range(DRAWS)])
    with np.errstate(invalid="ignore", divide="ignore"):
        c, f = drawn[:, 0] / drawn[:, 1], drawn[:, 2] / drawn[:, 3]
        table = np.stack([np.sqrt(c * (1 - f)), c, f])
    given = [row[np.isfinite(row)] for row in table]
    ends = [np.percentile(row, (2.5, 97.5)) if len(row) else (np.nan, np.nan) for row in given]
    return [float(low) for low, _ in ends], [float(high) for _, high in ends]
