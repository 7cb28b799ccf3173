"""Comparisons of groups in every number, with Holm's correction over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from salix.analysis.columns import AGREEMENT
from salix.analysis.frame import Frame, shared_examples
from salix.analysis.run_metrics import DatasetMetric, Statistics
from salix.analysis.significance import SIGNIFICANCE, Difference, Differences
from salix.analysis.summary import Summary
from salix.stats import GroupComparison, Interval, compare_groups, difference_interval, holm
from salix.stats.interval import NAN

ALL_PAIRS = 5  # groups; of more, each is compared with the first alone
PERMUTATIONS = 5000
UNDEFINED = Interval(NAN, NAN, NAN, 0)
GroupPair = tuple[str, str]  # two groups; the second less the first is compared
# Statistics [run, example] by number, then by group
GroupTables = Mapping[str, Mapping[str, Statistics]]


def compare_all(
    frames: Sequence[Frame], summary: Summary, metrics: Sequence[DatasetMetric]
) -> Differences | None:
    """Compare groups in every number, over the images that all runs share: see `compare_tables`.

    None for a single group, and where nothing can be compared.
    """
    if len(summary.groups) < 2:
        return None
    return compare_tables(group_tables(frames, metrics), summary, metrics)


def group_tables(frames: Sequence[Frame], metrics: Sequence[DatasetMetric]) -> GroupTables:
    """Return the statistics [run, example] of each group, over the images that all runs share.

    Of a number that is a mean, those of the runs that have it; of another, only of groups whose
    runs all have it. Empty where no image is shared.
    """
    shared, places = shared_examples(frames)
    tables: dict[str, dict[str, Statistics]] = {}
    for metric in metrics if shared else ():
        if not (metric.compared or metric.paired):
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
    tables: GroupTables, summary: Summary, metrics: Sequence[DatasetMetric]
) -> Differences | None:
    """Compare each two groups in `tables[number][group]`, and in numbers of a run or of a group.

    As `compare_groups` does, with Holm's correction over all comparisons. A number that is no mean
    of images (AUC) is compared as a number of a run where both groups have several runs, else over
    images, and takes the place of the one that it `replaces` (accuracy). Of images that only one
    group has nothing is said, as they differ from those of the other in more than the model.
    Agreement is a number of two runs: groups of three or more are compared by its interval,
    without a test. None where nothing can be compared.
    """
    groups = [g.name for g in summary.groups]
    reference = None if len(groups) <= ALL_PAIRS else groups[0]
    pairs = [(a, b) for a, b in combinations(groups, 2) if reference in (None, a)]
    over_images, over_runs = [], []
    replaced: dict[str, set[GroupPair]] = {}
    for metric in (m for m in metrics if m.paired):
        for pair in pairs:
            runs = _compare_run_values(metric, pair, summary)
            images = None if runs else _compare_paired(metric, pair, tables.get(metric.key, {}))
            over_runs += [runs] if runs else []
            over_images += [images] if images else []
            if runs or images:
                replaced.setdefault(metric.replaces, set()).add(pair)
    means = [
        comparison
        for metric in metrics
        if metric.compared
        for pair in pairs
        if pair not in replaced.get(metric.key, ())
        if (comparison := _compare_means(metric, pair, tables.get(metric.key, {})))
    ]
    tested = [*over_images, *means, *over_runs]
    adjusted = holm([c.p for c in tested])
    comparisons = [replace(c, p_adjusted=float(p)) for c, p in zip(tested, adjusted, strict=True)]
    comparisons += _compare_agreements(summary, pairs)
    columns = {c.key: c for m in metrics for c in m.columns} | {AGREEMENT.key: AGREEMENT}
    rows = [Difference(columns[c.key], c) for c in comparisons if np.isfinite(c.difference.value)]
    return Differences(tuple(sorted(rows, key=_order)), reference) if rows else None


def _compare_means(
    metric: DatasetMetric, pair: GroupPair, groups: Mapping[str, Statistics]
) -> GroupComparison | None:
    """Compare a number that is a mean of images, the second group less the first."""
    if not set(pair) <= groups.keys():
        return None
    first, second = pair
    values = {name: groups[name][metric.compared] for name in (second, first)}
    (comparison,) = compare_groups({metric.key: values}, permutations=PERMUTATIONS)
    return comparison


def _compare_run_values(
    metric: DatasetMetric, pair: GroupPair, summary: Summary
) -> GroupComparison | None:
    """Compare a number of a run, the second group less the first; None unless both have several."""
    groups = {g.name: g for g in summary.groups}
    first, second = pair
    values = {n: np.array(groups[n].values(metric.key))[:, None] for n in (second, first)}
    if min(map(len, values.values())) < 2:
        return None
    (comparison,) = compare_groups({metric.key: values}, permutations=PERMUTATIONS)
    a, b = (groups[n].over_runs(metric.key) for n in (second, first))
    images = min(run.labelled for name in pair for run in groups[name].runs)
    return replace(comparison, difference=difference_interval(a, b), n_images=images)


def _compare_paired(
    metric: DatasetMetric, pair: GroupPair, groups: Mapping[str, Statistics]
) -> GroupComparison | None:
    """Compare a number by its own test over images, the second group less the first."""
    if metric.paired is None or not set(pair) <= groups.keys():
        return None
    a, b = groups[pair[1]], groups[pair[0]]
    difference, p = metric.paired(a, b)
    if np.isnan(difference.value):
        return None
    a_runs, b_runs = (len(next(iter(group.values()))) for group in (a, b))
    return _without_effects(metric.key, pair, difference, (a_runs, b_runs), difference.n, p)


def _compare_agreements(summary: Summary, pairs: Sequence[GroupPair]) -> list[GroupComparison]:
    """Compare agreements whose intervals are over runs; to exchange labels would mix the groups."""
    groups = {g.name: g for g in summary.groups if g.agreement is not None and len(g.runs) > 2}
    comparisons = []
    for pair in pairs:
        if set(pair) <= groups.keys():
            a, b = groups[pair[1]], groups[pair[0]]
            one, two = a.interval("agreement"), b.interval("agreement")
            difference, images = difference_interval(one, two), min(one.n, two.n)
            runs = (len(a.runs), len(b.runs))
            comparisons.append(_without_effects("agreement", pair, difference, runs, images))
    return comparisons


def _without_effects(
    key: str,
    pair: GroupPair,
    difference: Interval,
    runs: tuple[int, int],
    images: int,
    p: float = NAN,
) -> GroupComparison:
    """Return a comparison without effect sizes, the second group less the first."""
    first, second = pair
    sizes = (UNDEFINED, UNDEFINED, runs, images)
    return GroupComparison(key, second, first, difference, p, NAN, *sizes)


def _order(d: Difference) -> tuple[int, float, float]:
    """Order by significance, then p value, then size of the effect."""
    c = d.comparison
    size = c.effect.value if np.isfinite(c.effect.value) else c.delta.value
    p = c.p_adjusted if np.isfinite(c.p_adjusted) else np.inf
    return SIGNIFICANCE.index(d.significance), p, -abs(size) if np.isfinite(size) else 0.0
