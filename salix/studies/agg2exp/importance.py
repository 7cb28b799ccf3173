"""Global importance of regions over scans: means, strongest dependences, clusters and outliers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from salix.stats import mean_interval
from salix.typing import InputError

Matrix = Float[np.ndarray, "targets regions"]
Matrices = Float[np.ndarray, "scans targets regions"]


@dataclass(frozen=True)
class GlobalImportance:
    """Means over scans of the mass or lift of each target and region.

    `low` and `high` are the limits of 95 % intervals of the mean over scans; `present` [targets] is
    the number of scans with the target, over which its row is the mean. A target without any has a
    row of NaN.
    """

    mean: Matrix
    low: Matrix
    high: Matrix
    present: Float[np.ndarray, " targets"]


def global_importance(values: Matrices, is_present: Bool[np.ndarray, "scans targets"]) -> Any:
    """Return the `GlobalImportance` of matrices of scans, absent targets left out and counted."""
    targets, regions = values.shape[1:]
    entries = [
        [mean_interval(np.where(is_present[:, t], values[:, t, r], np.nan)) for r in range(regions)]
        for t in range(targets)
    ]
    part = lambda name: np.array([[getattr(e, name) for e in row] for row in entries])  # noqa: E731
    return GlobalImportance(part("value"), part("low"), part("high"), is_present.sum(0) * 1.0)


@dataclass(frozen=True)
class Edge:
    """Dependence of a target on another region, by the numbers of both, with its strength."""

    target: int
    region: int
    strength: float


def strongest_edges(
    strengths: Matrix, *, per_target: int = 5, cumulative: float = 1.0, background: int | None = 0
) -> tuple[Edge, ...]:
    """Return the strongest incoming edges of each target, from the strongest on.

    At most `per_target` of them, until their strengths add up to the share `cumulative` of the
    target's row; a target itself and the `background` are left out.
    """
    edges: list[Edge] = []
    for target, row in enumerate(strengths):
        usable = [r for r in range(len(row)) if r not in (target, background)]
        order = sorted((r for r in usable if row[r] > 0), key=lambda r, row=row: -row[r])
        total, limit = 0.0, cumulative * float(np.nansum(row))
        for region in order[:per_target]:
            if target == background or total >= limit:
                break
            edges.append(Edge(target, region, float(row[region])))
            total += float(row[region])
    return tuple(edges)


@dataclass(frozen=True)
class Clustering:
    """Average linkage of classes: SciPy's rows of merged clusters, order of leaves, fit.

    `cophenetic` is the correlation of the distances in the tree with those of the classes.
    """

    linkage: Float[np.ndarray, "merges 4"]
    leaves: tuple[int, ...]
    cophenetic: float


def cluster_classes(masses: Matrix) -> Clustering | None:
    r"""Return the average linkage of classes by their masses on each other, None below three.

    The distance of classes a and b is $\max \sqrt M - \sqrt M_{ab}$ with M the mean of the mass of
    b for a and of a for b, as a tree needs equal distances in both directions. Rows with NaN have
    mass 0.

    Chrabaszcz et al. (2025), arXiv:2407.16653; cophenetic correlation: Sokal and Rohlf (1962).
    """
    from scipy.cluster.hierarchy import average, cophenet, leaves_list
    from scipy.spatial.distance import squareform

    if masses.shape[0] != masses.shape[1]:
        raise InputError(
            f"masses of {masses.shape[0]} targets over {masses.shape[1]} regions: classes can be "
            "clustered only where targets and regions are the same"
        )
    if len(masses) < 3:
        return None
    known = np.nan_to_num(masses)
    root = np.sqrt((known + known.T) / 2)
    distances = root[~np.eye(len(root), dtype=bool)].max() - root
    np.fill_diagonal(distances, 0)
    condensed = squareform(distances, checks=False)
    tree = average(condensed)
    # The correlation of constant distances is undefined.
    fit = float(cophenet(tree, condensed)[0]) if np.ptp(condensed) > 0 else float("nan")
    return Clustering(tree, tuple(int(i) for i in leaves_list(tree)), fit)


@dataclass(frozen=True)
class Outliers:
    """Outlier scores of the scans for one target, higher for stranger ones, against its Dice."""

    target: int
    scores: Float[np.ndarray, " scans"]
    correlation: float


LEAST_SCANS = 8


def outlier_scores(
    masses: Matrices, dice: Float[np.ndarray, "scans targets"], *, seed: int = 0
) -> tuple[Outliers, ...]:
    """Return for each target the outlier scores of an isolation forest over its rows of mass.

    A forest of 100 trees for each target with 8 scans or more, with Spearman's correlation of score
    and Dice: below 0 where strange masses go with bad segmentations. NaN for scans without the
    target. With few scans the forest scores the scans that it was fitted on.

    Liu, Ting and Zhou (2008), ICDM, by scikit-learn; Chrabaszcz et al. (2025), arXiv:2407.16653.
    """
    from sklearn.ensemble import IsolationForest

    result: list[Outliers] = []
    for target in range(masses.shape[1]):
        rows = masses[:, target]
        known = np.isfinite(rows).all(1)
        if known.sum() < LEAST_SCANS:
            continue
        forest = IsolationForest(n_estimators=100, random_state=seed).fit(rows[known])
        scores = np.full(len(rows), np.nan)
        scores[known] = -forest.score_samples(rows[known])
        correlation = _correlation(scores, dice[:, target])
        result.append(Outliers(target, scores, correlation))
    return tuple(result)


def _correlation(scores: Float[np.ndarray, " n"], dice: Float[np.ndarray, " n"]) -> float:
    from scipy.stats import spearmanr

    known = np.isfinite(scores) & np.isfinite(dice)
    if known.sum() < LEAST_SCANS or np.ptp(dice[known]) == 0:
        return float("nan")
    return float(spearmanr(scores[known], dice[known]).statistic)  # pyright: ignore


def known_dependences(
    strengths: Matrices,
    is_present: Bool[np.ndarray, "scans targets"],
    dependences: Mapping[int, int],
    control: int | None,
    *,
    background: int = 0,
) -> list[dict[str, Any]]:
    """Return how true sources and a control stand among the regions, for each dependent target.

    `first` is the number of the `scans` in which the source is stronger than all regions but
    background and target, and `above` that in which it is stronger than the control. `difference`
    is the interval of the control's strength less the mean of the other regions on which nothing
    depends: the order among those is by chance. Regions without a voxel do not count.
    """
    rows = []
    for target, source in dependences.items():
        own = strengths[is_present[:, target], target]
        own = own[~np.isnan(own[:, source])]
        idle = [r for r in range(own.shape[1]) if r not in (background, target, source)]
        rest = [r for r in idle if r != control]
        known = ~np.isnan(own)
        others = np.where(known, own, -np.inf)[:, idle].max(1, initial=-np.inf)
        row: dict[str, Any] = {"target": target, "source": source, "scans": len(own)}
        row["first"] = int((own[:, source] > others).sum())
        if control in idle and rest:
            count = known[:, rest].sum(1)
            mean = np.divide(
                np.where(known, own, 0)[:, rest].sum(1),
                count,
                out=np.full(len(own), np.nan),
                where=count > 0,
            )
            below = ~known[:, control] | (own[:, source] > own[:, control])
            row["above"] = int(below.sum())
            row["difference"] = asdict(mean_interval(own[:, control] - mean))
        rows.append(row)
    return rows
