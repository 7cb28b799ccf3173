"""COSE of the labelled images of a run, with bootstrap limits."""

from collections.abc import Mapping

import numpy as np
from scipy import special

from salix.analysis.columns import TableColumn
from salix.analysis.cose import Changes, align_changes, cose_score, mean_of
from salix.stats import Interval, cluster_codes, cluster_count
from salix.stats.clusters import ClusterDesign

DRAWS = 1000
COSE_COLUMNS = (
    TableColumn("cose", "COSE", "higher is better", 0.0, 1.0),
    TableColumn("cose_consistency", "COSE: consistency", "higher is better", -1.0, 1.0),
    TableColumn("cose_fidelity", "COSE: 1 − sensitivity", "lower is better", -1.0, 1.0),
)


def cose_statistics(rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the similarities that consistency and fidelity are means of, NaN elsewhere."""
    similarity, after = rows["cose_similarity"], rows["cose_predicted"]
    known, before, right = align_changes(similarity, after, rows["predicted"], rows["label"])
    return {
        "labelled": rows["label"] >= 0,
        "consistent": np.where(before & right & ~np.isnan(known), similarity, np.float32(np.nan)),
        "changed": np.where(before & ~right & ~np.isnan(known), similarity, np.float32(np.nan)),
    }


def cose_intervals(
    statistics: Mapping[str, np.ndarray], clusters: np.ndarray | None = None
) -> tuple[Interval, ...]:
    r"""Return COSE, its consistency C and its F of the labelled images of a run.

    $\sqrt{C (1 - F)}$ over image changes alone. Limits are percentiles of a bootstrap of images,
    drawn with all their changes; `n` counts pairs of an image and a change, for COSE the fewer of
    the two. Of images in `clusters` the clusters are drawn, and the percentiles are as far out as
    Student's. () without labels.

    Daroya, Sun and Maji (2023), arXiv:2309.10989.
    """
    labelled = statistics["labelled"]
    if not labelled.any():
        return ()
    tables = [statistics[name][labelled] for name in ("consistent", "changed")]
    c, f = (mean_of(table.astype(float)) for table in tables)
    values = (cose_score(c.value, f.value), c.value, f.value)
    codes = None if clusters is None else cluster_codes(clusters[labelled], int(labelled.sum()))
    low, high = _limits(tables[0], tables[1], codes)
    each = zip(values, low, high, (min(c.n, f.n), c.n, f.n), strict=True)
    return tuple(
        Interval(value, low, high, n, clusters=cluster_count(codes)) for value, low, high, n in each
    )


def _limits(
    consistent: Changes, changed: Changes, codes: np.ndarray | None
) -> tuple[list[float], list[float]]:
    """Return the 95 % limits of the three numbers."""
    tables = [(table, ~np.isnan(table)) for table in (consistent, changed)]
    sums = [f for t, known in tables for f in (np.where(known, t, 0).sum(1), known.sum(1))]
    per_image, n, tails = np.stack(sums, 1), len(consistent), (2.5, 97.5)
    if codes is not None:
        per_image, n = ClusterDesign.of(n, codes).sums(per_image.T).T, cluster_count(codes)
        if n < 2:
            return [np.nan] * 3, [np.nan] * 3
        tail = 100 * special.ndtr(-np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, 0.975))
        tails = (tail, 100 - tail)
    rng = np.random.default_rng(0)
    drawn = np.stack([rng.multinomial(n, np.full(n, 1 / n)) @ per_image for _ in range(DRAWS)])
    with np.errstate(invalid="ignore", divide="ignore"):
        c, f = drawn[:, 0] / drawn[:, 1], drawn[:, 2] / drawn[:, 3]
        table = np.stack([np.sqrt(c * (1 - f)), c, f])
    finite = [row[np.isfinite(row)] for row in table]
    ends = [np.percentile(row, tails) if len(row) else (np.nan, np.nan) for row in finite]
    return [float(low) for low, _ in ends], [float(high) for _, high in ends]
