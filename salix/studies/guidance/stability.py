"""Stability of salience maps across seeds, and its comparison between losses."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from jaxtyping import Float

from salix.analysis import shared_maps, stability, subset_names
from salix.stats import (
    GroupComparison,
    Interval,
    bootstrap_pairwise_mean,
    cliffs_delta,
    difference_interval,
    hedges_g,
)
from salix.store import Run

IN_SET = ("celeba", "forged", "dcgan")


def similarity(runs: Sequence[Run]) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
    """Return all pairs of runs and the SSIM of their maps [pair, image], on in-set test faces."""
    shared = shared_maps(runs)
    in_set = np.isin(subset_names(np.asarray(shared.ids)), IN_SET)
    similarities = stability(shared.maps[:, in_set])
    return similarities.pairs, similarities.values.astype(np.float64)


def loss_stability(runs: Sequence[Run]) -> Interval:
    """Return the stability of runs of one loss: mean SSIM over pairs, interval over the runs."""
    pairs, values = similarity(runs)
    return bootstrap_pairwise_mean(values, pairs)


def compare_stability(
    a: Sequence[Run], b: Sequence[Run], interval_a: Interval, interval_b: Interval
) -> GroupComparison:
    """Compare the stability of two groups: limits from their intervals, p-value by splits.

    Effect sizes are those of each run's mean similarity to the others of its group.
    """
    pairs, values = similarity([*a, *b])
    known = np.isfinite(values).all(0)
    matrix = np.zeros((len(a) + len(b),) * 2)
    for (i, j), mean in zip(pairs, values[:, known].mean(1), strict=True):
        matrix[i, j] = matrix[j, i] = mean
    n, undefined = int(known.sum()), int((~known).sum())
    first = similarity_within(matrix, np.arange(len(a)))
    second = similarity_within(matrix, np.arange(len(a), len(matrix)))
    return GroupComparison(
        "stability",
        a[0].group,
        b[0].group,
        replace(difference_interval(interval_a, interval_b), n=n, undefined=undefined),
        p := split_test(matrix, len(a)),
        p,
        hedges_g(first, second),
        cliffs_delta(first, second),
        (len(a), len(b)),
        n,
    )


def similarity_within(matrix: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the mean similarity of each member to the other members."""
    return matrix[np.ix_(members, members)].sum(1) / (len(members) - 1)


def split_test(similar: Float[np.ndarray, "runs runs"], first: int) -> float:
    r"""Exact two-sided permutation p-value of the difference in agreement of two groups of runs.

    `similar` is symmetric with zeros on its diagonal; the statistic is the mean over pairs within
    the `first` runs minus that within the others. The p-value is the share of all splits of the
    runs with a statistic as far from 0 as the observed one, at least `salix.stats.minimum_p`.
    """
    indices = range(len(similar))
    statistics = []
    for chosen in combinations(indices, first):
        rest = [i for i in indices if i not in chosen]
        a, b = (similarity_within(similar, np.array(runs)).mean() for runs in (chosen, rest))
        statistics.append(abs(a - b))
    return float(np.mean(np.array(statistics) >= statistics[0] - 1e-12))
