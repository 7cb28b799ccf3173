"""Sweeps of one condition over its published values, beside the published curves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from salix.analysis.summary import plain_number
from salix.atomic import atomic
from salix.studies.chaosmining.data import NoiseSetting
from salix.studies.chaosmining.network import NetworkSetting
from salix.studies.chaosmining.published import SWEEPS
from salix.studies.chaosmining.results import ScoreRow
from salix.typing import InputError

SHOWN = ("Pred", "SA", "DL", "IG", "FA")  # columns of the printed table


@dataclass(frozen=True)
class ConditionSweep:
    """Scores of a study at each value of one condition."""

    name: str
    values: tuple[float | str, ...]
    rows: tuple[tuple[ScoreRow, ...], ...]

    def means(self, score: str) -> tuple[list[float], list[float]]:
        """Return the means of a score over the values, and the published ones (NaN without any)."""
        chosen = [next(r for r in rows if r.score == score) for rows in self.rows]
        return [r.mean.value for r in chosen], [r.published for r in chosen]


def sweep_conditions(
    name: str, noise: NoiseSetting, network: NetworkSetting
) -> Mapping[float | str, tuple[NoiseSetting, NetworkSetting]]:
    """Return the conditions of a sweep by the swept value; `InputError` for an unknown sweep."""
    if name not in SWEEPS:
        raise InputError(f"sweep {name!r}: choose one of {', '.join(SWEEPS)}")
    return {value: change_condition(name, value, noise, network) for value in SWEEPS[name]}


def change_condition(
    name: str, value: float | str, noise: NoiseSetting, network: NetworkSetting
) -> tuple[NoiseSetting, NetworkSetting]:
    """Return the conditions with another value of one of their fields."""
    change = {name: value}
    if hasattr(noise, name):
        return replace(noise, **change), network  # pyright: ignore[reportArgumentType]
    return noise, replace(network, **change)  # pyright: ignore[reportArgumentType]


def concordant_pairs(values: Sequence[float], published: Sequence[float]) -> tuple[int, int]:
    """Return how many pairs of values are in the published order, and the number of pairs.

    Pairs whose published values are equal or undefined do not count.
    """
    steps = [
        (values[j] - values[i], published[j] - published[i])
        for i, j in combinations(range(len(values)), 2)
    ]
    known = [(ours, theirs) for ours, theirs in steps if np.isfinite(theirs) and theirs != 0]
    return sum(ours * theirs > 0 for ours, theirs in known), len(known)


def write_sweep(out: Path, sweep: ConditionSweep) -> Path:
    """Write `sweep-<name>.json`: means, intervals, published values and pairs in their order."""
    scores = {}
    for index, first in enumerate(sweep.rows[0]):
        chosen = [rows[index] for rows in sweep.rows]
        means, published = sweep.means(first.score)
        scores[first.score] = {
            "mean": means,
            "low": [plain_number(r.mean.low) for r in chosen],
            "high": [plain_number(r.mean.high) for r in chosen],
            "published": [plain_number(p) for p in published],
            "pairs": concordant_pairs(means, published),
        }
    seeds = sweep.rows[0][0].mean.n
    contents = {"sweep": sweep.name, "seeds": seeds, "values": sweep.values, "scores": scores}
    with atomic(out / f"sweep-{sweep.name}.json") as path:
        path.write_text(json.dumps(contents, indent=1))
    return out / f"sweep-{sweep.name}.json"


def print_sweep(sweep: ConditionSweep) -> None:
    """Print the scores at each value, published ones in parentheses, and the pairs in order."""
    from rich.console import Console
    from rich.table import Table

    table = Table(sweep.name.replace("_", " "), *SHOWN, box=None, pad_edge=False)
    columns = [sweep.means(score) for score in SHOWN]
    for i, value in enumerate(sweep.values):
        cells = [_cell(means[i], published[i]) for means, published in columns]
        table.add_row(f"{value:g}" if not isinstance(value, str) else value, *cells)
    pairs = [concordant_pairs(*column) for column in columns]
    table.add_row("pairs in order", *(f"{a} of {n}" if n else "" for a, n in pairs))
    Console().print(table)


def _cell(mean: float, published: float) -> str:
    return f"{mean:.4f} ({published:.4f})" if np.isfinite(published) else f"{mean:.4f}"
