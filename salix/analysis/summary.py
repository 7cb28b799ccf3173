"""The numbers of each run and of each group of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salix.analysis import frame
from salix.analysis.agreement import agreement as agreement_of
from salix.analysis.cose import cose_numbers
from salix.stats import Interval, auc_interval, mean_interval, proportion_interval
from salix.store import Run
from salix.typing import InputError

ENTROPIES = tuple(name for name in frame.SCALARS if name != "score")


@dataclass(frozen=True)
class RunNumbers:
    """What one run comes to: counts of images, and a mean with its interval for each number.

    `numbers` are over images; `series` hold a mean for each element of a measure of several.
    """

    name: str
    group: str
    images: int
    of: int
    labelled: int
    constant_map: int
    not_finite: int
    skipped: int
    numbers: dict[str, Interval]
    series: dict[str, list[Interval]]

    @property
    def complete(self) -> bool:
        """Whether every image of the data has its row."""
        return self.images + self.skipped == self.of


@dataclass(frozen=True)
class Group:
    """Runs that differ by their training seed only, and how far two of them agree."""

    name: str
    runs: tuple[RunNumbers, ...]
    agreement: Interval | None = None

    def values(self, key: str) -> list[float]:
        """Return the number of each run, where it is defined."""
        found = (r.numbers[key].value for r in self.runs if key in r.numbers)
        return [v for v in found if np.isfinite(v)]

    def over_runs(self, key: str) -> Interval:
        """Mean over the runs, with its interval over the runs."""
        return mean_interval(self.values(key))

    def over_images(self, key: str) -> Interval:
        """Mean over the runs, with the interval that the images leave for these very runs.

        The mean of estimates is known at least as well as they are on average, however much they
        depend on one another by sharing their images.
        """
        given = [r.numbers[key] for r in self.runs if key in r.numbers]
        given = [i for i in given if np.isfinite(i.value)]
        if not given:
            return mean_interval([])
        value, low, high = (float(np.mean([getattr(i, f) for i in given])) for f in FIELDS)
        return Interval(value, low, high, min(i.n for i in given))

    def shown(self, key: str) -> Interval:
        """Interval over the runs, or over the images where one run is all there is."""
        if key == "agreement":
            return self.agreement or mean_interval([])
        return self.over_runs(key) if len(self.values(key)) > 1 else self.over_images(key)


FIELDS = ("value", "low", "high")


@dataclass(frozen=True)
class Numbers:
    """All runs and groups in their first order, and what further detectors reached."""

    runs: tuple[RunNumbers, ...]
    groups: tuple[Group, ...]
    baselines: Mapping[str, float] = field(default_factory=dict)
    measures: tuple[str, ...] = ()


def run_numbers(run: Run) -> RunNumbers:
    """Reduce the rows of one run."""
    columns = frame.measured(run)
    labels, logits = columns["label"], columns["logits"]
    known = labels >= 0
    numbers: dict[str, Interval] = {}
    if known.any():
        if logits.shape[1] == 2:
            numbers["auc"] = auc_interval(frame.lead(run)[known], labels[known])
        hits = int((columns["predicted"][known] == labels[known]).sum())
        numbers["accuracy"] = proportion_interval(hits, int(known.sum()))
    series: dict[str, list[Interval]] = {}
    numbers |= {n: mean_interval(columns[n].astype(np.float64)) for n in ENTROPIES}
    for name in frame.measure_names(run):
        if columns[name].ndim == 1:
            numbers[name] = mean_interval(columns[name].astype(np.float64))
        else:
            series[name] = [mean_interval(c) for c in columns[name].T.astype(np.float64)]
    numbers |= cose_numbers(run)
    return RunNumbers(
        name=run.name,
        group=run.group,
        images=len(labels),
        of=frame.total(run),
        labelled=int(known.sum()),
        constant_map=int(frame.flags(run, "constant_map").sum()),
        not_finite=int((~frame.flags(run, "finite")).sum()),
        skipped=len(frame.skipped(run)),
        numbers=numbers,
        series=series,
    )


def reduce_runs(
    runs: Sequence[Run],
    agreement: Mapping[str, Interval] | None = None,
    baselines: Mapping[str, float] | None = None,
) -> Numbers:
    """Reduce runs and gather them into groups.

    Raises `InputError` for no run, a directory that is not one, and an agreement of a group that
    no run belongs to.
    """
    if not runs:
        raise InputError("no run to report: give at least one")
    found = tuple(run_numbers(run) for run in runs)
    names = list(dict.fromkeys(r.group for r in found))
    if strange := sorted(set(agreement or {}) - set(names)):
        raise InputError(f"agreement of {', '.join(strange)}: the groups are {', '.join(names)}")
    groups = tuple(
        Group(n, tuple(r for r in found if r.group == n), (agreement or {}).get(n)) for n in names
    )
    measures = dict.fromkeys(n for run in runs for n in frame.measure_names(run))
    return Numbers(found, groups, dict(baselines or {}), tuple(measures))


def summary(
    runs: Sequence[Run],
    *,
    agreement: Mapping[str, Interval] | None = None,
    baselines: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Return the report's table as plain values: groups, their runs, and baselines.

    A row has `kind` "group", "run" or "baseline". Numbers are mappings of `value`, `low`, `high`,
    `n` and `undefined`, over images in a run and over runs in a group, which adds the least and
    greatest run; None is what could not be computed. Raises `InputError` as `write` does.
    """
    given = agreement_of(runs) if agreement is None else agreement
    return as_rows(reduce_runs(runs, given, baselines))


def as_rows(numbers: Numbers) -> list[dict[str, Any]]:
    """Lay out groups, each followed by its runs, then baselines."""
    table = [row for group in numbers.groups for row in _group_rows(group)]
    for name, auc in numbers.baselines.items():
        table.append({"kind": "baseline", "name": name, "numbers": {"auc": {"value": _plain(auc)}}})
    return table


def _group_rows(group: Group) -> list[dict[str, Any]]:
    keys = dict.fromkeys(k for r in group.runs for k in r.numbers)
    own: dict[str, Any] = {}
    for key in keys:
        values = group.values(key)
        ends = {"least": min(values), "greatest": max(values)} if values else {}
        own[key] = _interval(group.over_runs(key)) | ends
    if group.agreement is not None:
        own["agreement"] = _interval(group.agreement)
    head = {"kind": "group", "name": group.name, "runs": len(group.runs), "numbers": own}
    return [head, *map(_run_row, group.runs)]


def _run_row(run: RunNumbers) -> dict[str, Any]:
    counts = ("name", "group", "images", "of", "complete", "labelled", "constant_map", "not_finite")
    return {
        "kind": "run",
        **{name: getattr(run, name) for name in (*counts, "skipped")},
        "numbers": {key: _interval(i) for key, i in run.numbers.items()},
        "series": {key: [_interval(i) for i in found] for key, found in run.series.items()},
    }


def _interval(interval: Interval) -> dict[str, Any]:
    ends = {name: _plain(getattr(interval, name)) for name in FIELDS}
    return ends | {"n": interval.n, "undefined": interval.undefined}


def _plain(value: float) -> float | None:
    """Not-a-number has no place in JSON."""
    return float(value) if np.isfinite(value) else None
