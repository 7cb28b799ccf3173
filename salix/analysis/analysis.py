"""Analysis of runs: each part computed when it is first used, and shared by reports and studies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

from salix.analysis.agreement import RunSimilarity, group_agreement, run_similarity
from salix.analysis.columns import AGREEMENT, TableColumn
from salix.analysis.differences import compare_all
from salix.analysis.distributions import Distribution, distribution
from salix.analysis.frame import Frame
from salix.analysis.grouped_rows import GroupedRows, grouped_rows
from salix.analysis.leaderboard import Leaderboard, leaderboard
from salix.analysis.mean_maps import ClassMeanMaps, mean_maps
from salix.analysis.run_metrics import REGION, SALIENCE_METRICS, DatasetMetric, dataset_metrics
from salix.analysis.series import DecisionSplit, Series, find_series, split_by_decision
from salix.analysis.significance import Differences
from salix.analysis.subset_tables import SubsetTable, subset_table
from salix.analysis.summary import Summary, summarise, summary_rows
from salix.stats import Interval
from salix.store import Run
from salix.typing import InputError

Derived = TypeVar("Derived")


@dataclass(frozen=True, eq=False)
class Analysis:
    """Numbers of runs, of groups of runs that differ by their training seed, and differences.

    `frames` stand group by group. `region` names what the reference masks mark, `in_set` the
    subsets that all others are compared with, `baselines` the AUCs of trivial detectors. Made by
    `analyse`.
    """

    frames: tuple[Frame, ...]
    region: str
    in_set: tuple[str, ...] | None
    baselines: Mapping[str, float]
    known_agreement: Mapping[str, Interval] | None
    primary: str | None = None

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, those of a group together."""
        return tuple(frame.run for frame in self.frames)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups, in the order in which runs were given."""
        return tuple(dict.fromkeys(run.group for run in self.runs))

    @cached_property
    def agreement(self) -> Mapping[str, Interval]:
        """Agreement of the maps of each group's runs: see `group_agreement`."""
        return group_agreement(self.runs) if self.known_agreement is None else self.known_agreement

    @cached_property
    def metrics(self) -> tuple[DatasetMetric, ...]:
        """All numbers that the runs can have, in the order of the table."""
        return dataset_metrics(self.frames, region=self.region)

    @cached_property
    def summary(self) -> Summary:
        """Counts and numbers of each run and group."""
        return summarise(
            self.frames,
            metrics=self.metrics,
            agreement=self.agreement,
            baselines=self.baselines,
        )

    @cached_property
    def grouped_rows(self) -> GroupedRows | None:
        """Groups of dependent images that the rows look like, where none was named."""
        return grouped_rows(self.frames)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The summary as plain values, a row for each group, run and baseline."""
        return summary_rows(self.summary)

    @cached_property
    def columns(self) -> tuple[TableColumn, ...]:
        """Columns of the numbers that some run has, in the order of the table."""
        last = [m for m in self.metrics if m in SALIENCE_METRICS]
        first = [m for m in self.metrics if m not in SALIENCE_METRICS]
        own = [[c for m in metrics for c in m.columns] for metrics in (first, last)]
        return tuple(c for c in (*own[0], AGREEMENT, *own[1]) if self.summary.has(c.key))

    @cached_property
    def differences(self) -> Differences | None:
        """Comparisons of all groups in all numbers; None for a single group."""
        return compare_all(self.frames, self.summary, self.metrics, primary=self.primary)

    @cached_property
    def similarity(self) -> RunSimilarity | None:
        """Similarity of the maps of all runs to each other; None where maps cannot be compared."""
        return run_similarity(self.runs)

    @cached_property
    def mean_maps(self) -> tuple[ClassMeanMaps, ...]:
        """Mean maps of each class and group."""
        return mean_maps(self.frames, self.groups)

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """Columns over an axis, by measure."""
        return find_series(self.frames)

    @cached_property
    def leaderboard(self) -> Leaderboard | None:
        """Attribution methods by metrics; None where no run has evaluated methods."""
        return leaderboard(self.frames)

    @cached_property
    def subsets(self) -> SubsetTable | None:
        """Numbers of subsets, and their shifts from the in-set ones."""
        means = [m.columns[0] for m in self.metrics if m.compared in self.frames[0].numbers]
        return subset_table(self.frames, self.groups, columns=means, in_set=self.in_set)

    def distribution(self, column: TableColumn) -> Distribution | None:
        """Return the distribution of a scalar column over images; None if nothing is defined."""
        return distribution(self.frames, column)

    def decision_splits(self, series: Series) -> tuple[DecisionSplit, ...]:
        """Return the means of a series for right, wrong and flipped decisions apart."""
        return split_by_decision(self.frames, series)

    @cached_property
    def _derived(self) -> dict[Any, Any]:
        return {}

    def derive(self, function: Callable[["Analysis"], Derived]) -> Derived:
        """Return `function(analysis)`, computed once: for parts that several sections share."""
        if function not in self._derived:
            self._derived[function] = function(self)
        return self._derived[function]


def analyse(
    runs: Sequence[Run],
    *,
    agreement: Mapping[str, Interval] | None = None,
    baselines: Mapping[str, float] | None = None,
    region: str = REGION,
    in_set: Sequence[str] | None = None,
    primary: str | None = None,
) -> Analysis:
    """Analyse runs: `analyse(runs).summary`, `.differences`, `.subsets` and so on.

    Runs of one group differ by their training seed only. `agreement` of the maps of each group is
    computed from the stored maps unless given; `baselines` are AUCs of trivial detectors, by name;
    `region` names what the reference masks mark; `in_set` names the subsets, the first parts of the
    ids, that all others are compared with; `primary` is the key of the one number that the
    headline is about, chosen before the runs were measured, so that its tests are not corrected for
    the other numbers. Raises `InputError` for no run, a directory that is not one, and two runs of
    one name.
    """
    if not runs:
        raise InputError("no run to report: give at least one")
    names = [run.name for run in runs]
    if repeated := sorted({n for n in names if names.count(n) > 1}):
        raise InputError(f"several runs are named {', '.join(repeated)}: give each its own name")
    groups = list(dict.fromkeys(run.group for run in runs))
    ordered = sorted(runs, key=lambda run: groups.index(run.group))
    return Analysis(
        tuple(Frame(run) for run in ordered),
        region,
        None if in_set is None else tuple(in_set),
        MappingProxyType(dict(baselines or {})),
        None if agreement is None else MappingProxyType(dict(agreement)),
        primary,
    )
