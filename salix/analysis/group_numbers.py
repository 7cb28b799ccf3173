"""Numbers of the runs of one group, and their means with intervals over runs and images."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from salix.analysis.frame import Frame, shared_clusters, shared_examples
from salix.analysis.run_metrics import DatasetMetric, Statistics
from salix.stats import Interval, mean_of_intervals


def group_numbers(
    frames: Sequence[Frame], metrics: Sequence[DatasetMetric]
) -> tuple[list[dict[str, Interval]], dict[str, Interval]]:
    """Return the numbers of each run, and the mean of each number over several runs.

    The mean is that of the runs' own numbers. The distances of its limits are over runs and images,
    as samples, of the images that all runs share; where these have no limits, they are recovered
    from those of the runs (`mean_of_intervals`).
    """
    shared, places = shared_examples(frames)
    clusters = shared_clusters(frames, places)
    runs: list[dict[str, Interval]] = [{} for _ in frames]
    means: dict[str, Interval] = {}
    for metric in metrics:
        tables: list[Statistics] = []
        for frame, place, numbers in zip(frames, places, runs, strict=True):
            if metric.applies(frame):
                rows = metric.of_examples(frame)
                numbers |= metric.by_key(metric.estimate(rows, frame.clusters))
                tables.append({n: v[place] for n, v in rows.items()})
        if len(tables) < 2:
            continue
        crossed: dict[str, Interval] = {}
        if metric.over_runs and shared:
            table = {n: np.stack([t[n] for t in tables]) for n in tables[0]}
            crossed = metric.by_key(metric.over_runs(table, clusters))
        for key in (c.key for c in metric.columns):
            if own := [numbers[key] for numbers in runs if key in numbers]:
                means[key] = _centred(mean_of_intervals(own), crossed.get(key))
    return runs, means


def _centred(mean: Interval, crossed: Interval | None) -> Interval:
    """Return the mean of the runs with the limits of an interval over shared images about it."""
    if crossed is None or not np.isfinite([crossed.low, crossed.high]).all():
        return mean
    shift = mean.value - crossed.value
    return replace(mean, low=crossed.low + shift, high=crossed.high + shift)
