"""Numbers of a data set: statistics of each example, and an estimate from all of them.

Statistics are computed part by part of a run, so that no run is held as a whole; an estimate is a
value with its interval. Every number of a run's row in the summary is one of these: to add one,
add an entry to `DECISION_METRICS` or `SALIENCE_METRICS`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.columns import BETTER, TableColumn, standard_columns, table_column
from salix.analysis.cose_bootstrap import COSE_COLUMNS, cose_intervals, cose_statistics
from salix.analysis.frame import Frame, describe_columns, margins
from salix.stats import (
    GroupComparison,
    Interval,
    auc_group_interval,
    auc_interval,
    compare_areas,
    crossed_mean,
    mean_interval,
    share_interval,
)

REGION = "reference mask region"  # what the reference masks mark, unless said otherwise
Statistics = Mapping[str, np.ndarray]  # [examples ...] by name
# Codes of the clusters of dependent examples [example]; None for independent ones.
Clusters = np.ndarray | None
Estimate = Callable[[Statistics, Clusters], tuple[Interval, ...]]
# Compares a number, its key, of two named groups: statistics [run, example] of each, clusters of
# dependent examples, and the number of permutations.
Compare = Callable[[str, tuple[str, str], Statistics, Statistics, Clusters, int], GroupComparison]


@dataclass(frozen=True)
class DatasetMetric:
    """One number of a data set, or a few that are estimated together.

    `statistics` takes the columns `reads` of some examples and returns arrays, one value or row an
    example; `estimate` takes those of all examples and returns an interval for each of `columns`,
    () where the number is undefined, as without labels. `over_runs` takes those of several runs
    over the same examples, [run, example ...], and returns intervals over runs and examples; None
    for limits recovered from those of the runs. `applies` tells whether a run has the number.

    Groups are compared in it by `compared`, the statistic whose mean is the number; or else by
    `compare`, a function of the statistics of two groups over the same examples; or not at all. A
    number `replaces` a weaker one wherever it is compared.
    """

    columns: tuple[TableColumn, ...]
    reads: tuple[str, ...]
    statistics: Callable[[Statistics], Statistics]
    estimate: Estimate
    applies: Callable[[Frame], bool]
    over_runs: Estimate | None = None
    compared: str = ""
    compare: Compare | None = None
    replaces: str = ""

    @property
    def key(self) -> str:
        """Key of the first number."""
        return self.columns[0].key

    def of_examples(self, frame: Frame) -> Statistics:
        """Return the statistics of all examples of a run, in the order of the data."""
        if all(name in frame.scalars for name in self.reads):
            return self.statistics({n: frame.scalars[n] for n in self.reads})
        parts = [self.statistics(part) for part in frame.run.iterate(self.reads)]
        if not parts:
            parts = [self.statistics(frame.run.read(self.reads))]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def of_run(self, frame: Frame) -> dict[str, Interval]:
        """Return the estimates of one run by their keys, those that are defined."""
        if not self.applies(frame):
            return {}
        return self.by_key(self.estimate(self.of_examples(frame), frame.clusters))

    def by_key(self, intervals: Sequence[Interval]) -> dict[str, Interval]:
        """Return the intervals of `estimate` or `over_runs` by the keys of their columns."""
        return dict(zip([c.key for c in self.columns], intervals, strict=False))


def _has(*names: str) -> Callable[[Frame], bool]:
    return lambda frame: frame.has(*names)


def _has_two_logits(frame: Frame) -> bool:
    return frame.has("logits", "label") and frame.run.columns["logits"].shape == (2,)


def _auc_statistics(rows: Statistics) -> Statistics:
    return {"margin": margins(rows["logits"]), "label": rows["label"]}


def _auc(statistics: Statistics, clusters: Clusters) -> tuple[Interval, ...]:
    known = statistics["label"] >= 0
    if not known.any():
        return ()
    own = None if clusters is None else clusters[known]
    return (auc_interval(statistics["margin"][known], statistics["label"][known], clusters=own),)


def _auc_over_runs(statistics: Statistics, clusters: Clusters) -> tuple[Interval, ...]:
    labels = statistics["label"]
    known = (labels == labels[0]).all(0) & (labels[0] >= 0)
    margins = np.where(known, statistics["margin"], np.nan)
    return (auc_group_interval(margins, np.where(known, labels[0], 0), clusters=clusters),)


def _compare_aucs(
    key: str, names: tuple[str, str], a: Statistics, b: Statistics, clusters: Clusters, draws: int
) -> GroupComparison:
    """Compare areas over the examples for which all runs give one label."""
    labels = np.concatenate([a["label"], b["label"]])
    known = (labels == labels[0]).all(0) & (labels[0] >= 0)
    one, two = (np.where(known, group["margin"], np.nan) for group in (a, b))
    of_known = np.where(known, labels[0], 0)
    return compare_areas(key, names, one, two, of_known, clusters=clusters, permutations=draws)


def _accuracy_statistics(rows: Statistics) -> Statistics:
    """Return 1 for a right prediction, 0 for a wrong one, NaN without a label."""
    label = rows["label"]
    return {"correct": np.where(label < 0, np.nan, rows["predicted"] == label)}


def _accuracy(statistics: Statistics, clusters: Clusters) -> tuple[Interval, ...]:
    known = np.isfinite(statistics["correct"])
    own = None if clusters is None else clusters[known]
    correct = statistics["correct"][known]
    return (share_interval(correct, clusters=own),) if len(correct) else ()


def column_mean(column: TableColumn) -> DatasetMetric:
    """Return the mean of a scalar column over the examples, with Student's interval."""
    key = column.key
    return DatasetMetric(
        (column,),
        (key,),
        lambda rows: {key: rows[key].astype(np.float64)},
        lambda statistics, clusters: (mean_interval(statistics[key], clusters=clusters),),
        _has(key),
        lambda statistics, clusters: (crossed_mean(statistics[key], clusters=clusters),),
        compared=key,
    )


AUC = DatasetMetric(
    (TableColumn("auc", "AUC", BETTER, 0.0, 1.0),),
    ("logits", "label"),
    _auc_statistics,
    _auc,
    _has_two_logits,
    _auc_over_runs,
    compare=_compare_aucs,
    replaces="accuracy",
)
ACCURACY = DatasetMetric(
    (TableColumn("accuracy", "Accuracy", BETTER, 0.0, 1.0, True),),
    ("predicted", "label"),
    _accuracy_statistics,
    _accuracy,
    lambda frame: frame.predicted is not None and frame.has("label"),
    lambda statistics, clusters: (
        crossed_mean(statistics["correct"], clusters=clusters, proportion=True),
    ),
    compared="correct",
)
COSE = DatasetMetric(
    COSE_COLUMNS,
    ("cose_similarity", "cose_predicted", "predicted", "label"),
    cose_statistics,
    cose_intervals,
    _has("cose_similarity", "cose_predicted", "predicted", "label"),
)
# In the order of the table, before and after the means of columns.
DECISION_METRICS: tuple[DatasetMetric, ...] = (AUC, ACCURACY)
SALIENCE_METRICS: tuple[DatasetMetric, ...] = (COSE,)


def dataset_metrics(frames: Sequence[Frame], *, region: str = REGION) -> tuple[DatasetMetric, ...]:
    """Return the numbers that runs can have: the tables above, and the mean of each column."""
    described = describe_columns(frames)
    standard = standard_columns(region)
    names = dict.fromkeys(name for frame in frames for name in frame.numbers)
    ordered = [n for n in standard if n in names] + [n for n in names if n not in standard]
    means = [column_mean(standard.get(n) or table_column(described[n])) for n in ordered]
    return (*DECISION_METRICS, *means, *SALIENCE_METRICS)
