"""Numbers of each run and of each group of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from salix.analysis.frame import Frame
from salix.analysis.group_numbers import group_numbers
from salix.analysis.run_metrics import DatasetMetric, dataset_metrics
from salix.stats import Interval, cluster_count, mean_interval, mean_of_intervals
from salix.typing import InputError

LIMITS = ("value", "low", "high")


@dataclass(frozen=True)
class RunSummary:
    """Counts of images, and the estimate of each number, of one run.

    `images` were measured out of `count`; `numbers` are over images, by key; `arrays` hold a mean
    for each element of a column of several numbers an image. `clusters` is the number of groups of
    dependent images, 0 for independent ones.
    """

    name: str
    group: str
    images: int
    count: int
    labelled: int
    constant_map: int
    not_finite: int
    skipped: int
    numbers: Mapping[str, Interval]
    arrays: Mapping[str, tuple[Interval, ...]]
    clusters: int = 0

    @property
    def complete(self) -> bool:
        """Whether every image of the data has its row."""
        return self.images + self.skipped == self.count


@dataclass(frozen=True)
class GroupSummary:
    """Runs that differ by their training seed only, and the agreement of their maps.

    `numbers` are the means over several runs, by key, with intervals over runs and images.
    """

    name: str
    runs: tuple[RunSummary, ...]
    agreement: Interval | None = None
    numbers: Mapping[str, Interval] = field(default_factory=lambda: MappingProxyType({}))

    def values(self, key: str) -> list[float]:
        """Return the number of each run, where it is defined."""
        values = (r.numbers[key].value for r in self.runs if key in r.numbers)
        return [v for v in values if np.isfinite(v)]

    def interval(self, key: str) -> Interval:
        """Interval over the runs and their images, or over the images of a single run.

        `n` counts the runs, where there are several.
        """
        if key == "agreement":
            return self.agreement or mean_interval([])
        own = [r.numbers[key] for r in self.runs if key in r.numbers]
        return self.numbers.get(key) or mean_of_intervals(own)


@dataclass(frozen=True)
class Summary:
    """All groups of runs in their first order, and AUCs of detectors to compare with."""

    groups: tuple[GroupSummary, ...]
    baselines: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def runs(self) -> tuple[RunSummary, ...]:
        """All runs, those of a group together."""
        return tuple(run for group in self.groups for run in group.runs)

    def has(self, key: str) -> bool:
        """Return whether any run, or group, has a number."""
        if key == "agreement":
            return any(g.agreement is not None for g in self.groups)
        return any(key in run.numbers for run in self.runs)


def summarise_run(frame: Frame, numbers: Mapping[str, Interval]) -> RunSummary:
    """Reduce the rows of one run to its counts, and to means beside its `numbers`."""
    arrays = {
        name: tuple(
            mean_interval(column.astype(np.float64), clusters=frame.clusters) for column in table.T
        )
        for name, table in frame.read_arrays()
    }
    return RunSummary(
        name=frame.run.name,
        group=frame.run.group,
        images=len(frame),
        count=frame.run.count - len(frame.run.other_faces),
        labelled=int((frame.labels >= 0).sum()),
        constant_map=int(frame.constant_map.sum()),
        not_finite=int((~frame.flags("finite", missing=True)).sum()),
        skipped=len(frame.run.skipped),
        numbers=MappingProxyType(dict(numbers)),
        arrays=MappingProxyType(arrays),
        clusters=cluster_count(frame.clusters),
    )


def summarise(
    frames: Sequence[Frame],
    *,
    metrics: Sequence[DatasetMetric] | None = None,
    agreement: Mapping[str, Interval] | None = None,
    baselines: Mapping[str, float] | None = None,
) -> Summary:
    """Reduce runs to their numbers and gather them into groups.

    `metrics` defaults to all that the runs can have, `dataset_metrics`. Raises `InputError` for no
    run, a directory that is not one, and an agreement of a group that no run belongs to.
    """
    if not frames:
        raise InputError("no run to report: give at least one")
    if metrics is None:
        metrics = dataset_metrics(frames)
    names = list(dict.fromkeys(frame.run.group for frame in frames))
    agreement = agreement or {}
    if strange := sorted(set(agreement) - set(names)):
        raise InputError(f"agreement of {', '.join(strange)}: the groups are {', '.join(names)}")
    groups = []
    for name in names:
        members = [frame for frame in frames if frame.run.group == name]
        numbers, over_runs = group_numbers(members, metrics)
        runs = tuple(summarise_run(f, n) for f, n in zip(members, numbers, strict=True))
        groups.append(GroupSummary(name, runs, agreement.get(name), MappingProxyType(over_runs)))
    return Summary(tuple(groups), MappingProxyType(dict(baselines or {})))


def summary_rows(summary: Summary) -> list[dict[str, Any]]:
    """Return the report's table as plain values: groups, each followed by its runs, then baselines.

    A row has `kind` "group", "run" or "baseline". Numbers are mappings of `value`, `low`, `high`,
    `n` and `undefined`, of images in a run and of runs in a group, which adds the least and
    greatest run, and `clusters` where images are in clusters; None is an undefined value.
    """
    table = [row for group in summary.groups for row in _group_rows(group)]
    for name, auc in summary.baselines.items():
        value = float(auc) if np.isfinite(auc) else None
        table.append({"kind": "baseline", "name": name, "numbers": {"auc": {"value": value}}})
    return table


def _group_rows(group: GroupSummary) -> list[dict[str, Any]]:
    numbers: dict[str, Any] = {}
    for key in dict.fromkeys(k for r in group.runs for k in r.numbers):
        values = group.values(key)
        ends = {"least": min(values), "greatest": max(values)} if values else {}
        numbers[key] = plain_interval(group.interval(key)) | ends
    if group.agreement is not None:
        numbers["agreement"] = plain_interval(group.agreement)
    head = {"kind": "group", "name": group.name, "runs": len(group.runs), "numbers": numbers}
    return [head, *map(_run_row, group.runs)]


def _run_row(run: RunSummary) -> dict[str, Any]:
    counts = ("name", "group", "images", "count", "complete", "labelled", "constant_map")
    return {
        "kind": "run",
        **{name: getattr(run, name) for name in (*counts, "not_finite", "skipped")},
        **({"clusters": run.clusters} if run.clusters else {}),
        "numbers": {key: plain_interval(i) for key, i in run.numbers.items()},
        "series": {key: [plain_interval(i) for i in row] for key, row in run.arrays.items()},
    }


def plain_interval(interval: Interval) -> dict[str, Any]:
    """Return an interval as plain values for JSON and Parquet; NaN is None."""
    plain = {name: plain_number(getattr(interval, name)) for name in LIMITS}
    clusters = {"clusters": interval.clusters} if interval.clusters else {}
    return plain | {"n": interval.n, "undefined": interval.undefined} | clusters


def plain_limits(interval: Interval) -> list[float | None]:
    """Return value, low and high of an interval as JSON has them; NaN is None."""
    return [plain_number(v) for v in (interval.value, interval.low, interval.high)]


def plain_number(value: float) -> float | None:
    """Return a number as JSON and Parquet have it: None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None
