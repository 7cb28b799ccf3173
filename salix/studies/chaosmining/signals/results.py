"""Table of a study's scores by set, network and method, with intervals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salix.analysis.summary import plain_number
from salix.atomic import atomic
from salix.stats import Interval, mean_interval
from salix.studies.chaosmining.signals.trials import SignalTrial, TrialScores
from salix.studies.intervals import mean_with_half


@dataclass(frozen=True)
class SignalRow:
    """One score of one network on one set: the mean over test examples and seeds."""

    condition: str
    network: str
    score: str
    mean: Interval


def signal_rows(
    trials: Sequence[SignalTrial], scores: Sequence[Mapping[str, Any]]
) -> tuple[SignalRow, ...]:
    """Return a row for each set, network and score.

    The interval is over seeds, of the means of each; over the test examples where there is one
    seed. Undefined values of examples are left out and counted.
    """
    groups: dict[tuple[str, str, str], list[Any]] = {}
    for trial, of in zip(trials, scores, strict=True):
        for name, values in of.items():
            key = trial.setting.condition, trial.network, name
            groups.setdefault(key, []).append(values)
    return tuple(SignalRow(*key, _interval(values)) for key, values in groups.items())


def _interval(values: Sequence[Any]) -> Interval:
    each = [mean_interval(of_seed) for of_seed in values]
    if len(each) == 1:
        return each[0]
    undefined = sum(mean.undefined for mean in each)
    return replace(mean_interval([mean.value for mean in each]), undefined=undefined)


def write_signals(
    out: Path,
    trials: Sequence[SignalTrial],
    scores: Sequence[TrialScores],
    rows: Sequence[SignalRow],
    *,
    methods: Sequence[str],
    metrics: Sequence[str],
) -> Path:
    """Write `scores-<kind>.parquet`, by example, and the table `results-<kind>.json`."""
    kind = trials[0].kind
    parts = []
    for trial, of in zip(trials, scores, strict=True):
        for name, values in of.items():
            about = trial.setting.condition, trial.network, trial.seed, name
            columns = dict(zip(("condition", "network", "seed", "score"), about, strict=True))
            repeated = {k: pa.repeat(v, len(values)) for k, v in columns.items()}
            examples = {"example": np.arange(len(values)), "value": values}
            parts.append(pa.table(repeated | examples))
    with atomic(out / f"scores-{kind}.parquet") as path:
        pq.write_table(pa.concat_tables(parts), path)
    about = {
        "kind": kind,
        "foregrounds": trials[0].setting.foregrounds,
        "examples": trials[0].setting.examples,
        "tests": trials[0].setting.tests,
        "training": asdict(trials[0].training),
        "seeds": len({trial.seed for trial in trials}),
        "methods": list(methods),
        "metrics": list(metrics),
    }
    with atomic(out / f"results-{kind}.json") as path:
        path.write_text(json.dumps(about | {"scores": [_entry(row) for row in rows]}, indent=1))
    return out / f"results-{kind}.json"


def _entry(row: SignalRow) -> dict[str, str | float | None]:
    about = {"condition": row.condition, "network": row.network, "score": row.score}
    numbers = {k: plain_number(getattr(row.mean, k)) for k in ("low", "high")}
    counts = {"n": row.mean.n, "undefined": row.mean.undefined}
    return about | {"mean": plain_number(row.mean.value)} | numbers | counts


def print_signals(
    rows: Sequence[SignalRow], methods: Sequence[str], metrics: Sequence[str], *, seeds: int
) -> None:
    """Print a line for each set, network and method, with a column for each metric."""
    from rich.console import Console
    from rich.table import Table

    means = {(row.condition, row.network, row.score): row.mean for row in rows}
    sample = "seeds" if seeds > 1 else "test examples"
    table = Table("set", "network", "accuracy", "method", box=None, pad_edge=False)
    for metric in metrics:
        table.add_column(metric, justify="right")
    for condition, network in dict.fromkeys((row.condition, row.network) for row in rows):
        accuracy = means[condition, network, "accuracy"].value
        first = (condition, network, f"{accuracy:.3f}")
        for method in methods:
            each = (means[condition, network, f"{method} {metric}"] for metric in metrics)
            table.add_row(*first, method, *map(mean_with_half, each))
            first = ("", "", "")
    Console().print(table)
    Console().print(f"mean ± half of the 95 % interval over {sample}")
