"""Comparisons of groups in every number, with p-values corrected in two families."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy import special

from salix.analysis.columns import AGREEMENT
from salix.analysis.frame import Frame, shared_clusters, shared_examples
from salix.analysis.run_metrics import DatasetMetric, Statistics
from salix.analysis.significance import ALPHA, HITS, LOOKS, SIGNIFICANCE, Difference, Differences
from salix.analysis.summary import Summary
from salix.stats import (
    GroupComparison,
    Interval,
    compare_groups,
    correct_family,
    difference_interval,
)
from salix.stats.interval import NAN
from salix.typing import InputError

ALL_PAIRS = 5  # groups; of more, each is compared with the first alone
PERMUTATIONS = 5000
UNDEFINED = Interval(NAN, NAN, NAN, 0)
GroupPair = tuple[str, str]  # two groups; the second less the first is compared
# Statistics [run, example] by number, then by group
GroupTables = Mapping[str, Mapping[str, Statistics]]


def compare_all(
    frames: Sequence[Frame],
    summary: Summary,
    metrics: Sequence[DatasetMetric],
    *,
    primary: str | None = None,
) -> Differences | None:
    """Compare groups in every number, over the images that all runs share: see `compare_tables`.

    None for a single group, and where nothing can be compared. Raises `InputError` for a `primary`
    that is no number to compare groups in.
    """
    keys = [*(m.key for m in metrics if m.compared or m.compare), AGREEMENT.key]
    if primary is not None and primary not in keys:
        names = ", ".join(keys)
        raise InputError(f"primary={primary!r}: name one of what groups are compared in, {names}")
    if len(summary.groups) < 2:
        return None
    clusters = shared_clusters(frames, shared_examples(frames)[1])
    tables = group_tables(frames, metrics)
    return compare_tables(tables, summary, metrics, primary=primary, clusters=clusters)


def group_tables(frames: Sequence[Frame], metrics: Sequence[DatasetMetric]) -> GroupTables:
    """Return the statistics [run, example] of each group, over the images that all runs share.

    Of a number that is a mean, those of the runs that have it; of another, only of groups whose
    runs all have it. Empty where no image is shared.
    """
    shared, places = shared_examples(frames)
    tables: dict[str, dict[str, Statistics]] = {}
    for metric in metrics if shared else ():
        if not (metric.compared or metric.compare):
            continue
        groups: dict[str, list[Statistics]] = {}
        for frame, place in zip(frames, places, strict=True):
            if metric.applies(frame):
                rows = {n: v[place] for n, v in metric.of_examples(frame).items()}
                groups.setdefault(frame.run.group, []).append(rows)
        if not metric.compared:
            sizes = {g: sum(f.run.group == g for f in frames) for g in groups}
            groups = {g: runs for g, runs in groups.items() if len(runs) == sizes[g]}
        tables[metric.key] = {
            g: {n: np.stack([run[n] for run in runs]) for n in runs[0]}
            for g, runs in groups.items()
        }
    return tables


def compare_tables(
    tables: GroupTables,
    summary: Summary,
    metrics: Sequence[DatasetMetric],
    *,
    primary: str | None = None,
    clusters: np.ndarray | None = None,
) -> Differences | None:
    """Compare each two groups in `tables[number][group]`, and in numbers of a run or of a group.

    As `compare_groups` does, in two families of tests: the numbers of the headline (`primary`, or
    `HITS` and `LOOKS`), and the others; where there is none of the former, all are one. A number
    that is no mean of images (AUC) takes the place of the one that it `replaces` (accuracy). Of
    images that only one group has nothing is said, as they differ from those of the other in more
    than the model. Agreement is a number of two runs: groups of three or more are compared by its
    interval. `clusters` [example] are the codes of dependent examples. None where nothing can be
    compared.
    """
    groups = [g.name for g in summary.groups]
    reference = None if len(groups) <= ALL_PAIRS else groups[0]
    pairs = [(a, b) for a, b in combinations(groups, 2) if reference in (None, a)]
    areas = []
    replaced: dict[str, set[GroupPair]] = {}
    for metric in (m for m in metrics if m.compare):
        for pair in pairs:
            if comparison := _compare_statistics(
                metric, pair, tables.get(metric.key, {}), clusters
            ):
                areas.append(comparison)
                replaced.setdefault(metric.replaces, set()).add(pair)
    means = [
        comparison
        for metric in metrics
        if metric.compared
        for pair in pairs
        if pair not in replaced.get(metric.key, ())
        if (comparison := _compare_means(metric, pair, tables.get(metric.key, {}), clusters))
    ]
    comparisons = [*areas, *means, *_compare_agreements(summary, pairs)]
    first = {*HITS, *LOOKS} if primary is None else {primary}
    if primary is None and not first & {c.key for c in comparisons}:
        first = {c.key for c in comparisons}
    columns = {c.key: c for m in metrics for c in m.columns} | {AGREEMENT.key: AGREEMENT}
    rows = [
        Difference(columns[c.key], c, of_headline)
        for of_headline in (True, False)
        for c in correct_family(
            [c for c in comparisons if (c.key in first) == of_headline],
            level=1 - ALPHA,
            permutations=PERMUTATIONS,
        )
        if np.isfinite(c.difference.value)
    ]
    return Differences(tuple(sorted(rows, key=_order)), reference, primary) if rows else None


def _compare_means(
    metric: DatasetMetric,
    pair: GroupPair,
    groups: Mapping[str, Statistics],
    clusters: np.ndarray | None,
) -> GroupComparison | None:
    """Compare a number that is a mean of images, the second group less the first."""
    if not set(pair) <= groups.keys():
        return None
    first, second = pair
    values = {name: groups[name][metric.compared] for name in (second, first)}
    (comparison,) = compare_groups(
        {metric.key: values}, permutations=PERMUTATIONS, clusters=clusters
    )
    return comparison


def _compare_statistics(
    metric: DatasetMetric,
    pair: GroupPair,
    groups: Mapping[str, Statistics],
    clusters: np.ndarray | None,
) -> GroupComparison | None:
    """Compare a number by its own function, the second group less the first; None if undefined."""
    if metric.compare is None or not set(pair) <= groups.keys():
        return None
    first, second = pair
    values = groups[second], groups[first]
    comparison = metric.compare(metric.key, (second, first), *values, clusters, PERMUTATIONS)
    return comparison if np.isfinite(comparison.difference.value) else None


def _compare_agreements(summary: Summary, pairs: Sequence[GroupPair]) -> list[GroupComparison]:
    """Compare agreements whose intervals are over runs; to exchange labels would mix the groups.

    p is that of Student's t with the freedom of the smaller group, scaled so that it is 5 % where
    the interval of the difference ends at 0.
    """
    groups = {g.name: g for g in summary.groups if g.agreement is not None and len(g.runs) > 2}
    comparisons = []
    for pair in pairs:
        if set(pair) <= groups.keys():
            a, b = groups[pair[1]], groups[pair[0]]
            one, two = a.interval("agreement"), b.interval("agreement")
            difference, images = difference_interval(one, two), min(one.n, two.n)
            runs = (len(a.runs), len(b.runs))
            sizes = (UNDEFINED, UNDEFINED, runs, images)
            row = GroupComparison("agreement", a.name, b.name, difference, NAN, NAN, *sizes)
            comparisons.append(replace(row, p_both=_interval_p(difference, min(runs) - 1)))
    return comparisons


def _interval_p(difference: Interval, freedom: int) -> float:
    """P-value of a difference by its 95 % interval, as of Student's t; NaN without limits."""
    value = difference.value
    half = value - difference.low if value > 0 else difference.high - value
    if value == 0 or not half > 0:
        return 1.0 if value == 0 else NAN
    t = special.stdtrit(freedom, 0.975) * abs(value) / half
    return float(2 * special.stdtr(freedom, -t))


def _order(d: Difference) -> tuple[int, float, float]:
    """Order by significance, then p value, then size of the effect."""
    c = d.comparison
    size = c.effect.value if np.isfinite(c.effect.value) else c.delta.value
    p = c.p_adjusted if np.isfinite(c.p_adjusted) else np.inf
    return SIGNIFICANCE.index(d.significance), p, -abs(size) if np.isfinite(size) else 0.0
