"""Tables of the study: densities by condition and their differences, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis.summary import plain_number
from salix.stats import Interval, mean_interval, sign_flip_test
from salix.studies.instruction.densities import THRESHOLD
from salix.studies.instruction.measure import (
    SCOPES,
    THRESHOLDS,
    PromptRows,
    condition_densities,
)


@dataclass(frozen=True)
class DensityRow:
    """Mean density of a condition, or of a difference of two with its p-value."""

    condition: str
    scope: str
    threshold: int
    mean: Interval
    p: float = np.nan


def density_rows(rows: PromptRows) -> tuple[DensityRow, ...]:
    """Return a row for each condition, difference, scope and threshold.

    Intervals are of the mean over prompts, those of one group dependent; p-values of the difference
    are by swapping the conditions of whole groups. The differences are the second state less the
    first, and with the answer of the second in both.
    """
    result = []
    names = rows.conditions
    for scope in SCOPES:
        for threshold in THRESHOLDS:
            values = [
                condition_densities(rows, i, threshold=threshold, scope=scope)
                for i in range(len(names))
            ]
            for name, density in zip(names, values, strict=True):
                mean = mean_interval(density, clusters=rows.groups)
                result.append(DensityRow(name, scope, threshold, mean))
            for i, title in zip((0, 2), difference_names(rows.states), strict=True):
                if i < len(values):
                    mean = mean_interval(values[1] - values[i], clusters=rows.groups)
                    p = sign_flip_test(values[1], values[i], clusters=rows.groups)
                    result.append(DensityRow(title, scope, threshold, mean, p))
    return tuple(result)


def difference_names(states: tuple[str, str]) -> tuple[str, str]:
    """Return the names of the two differences of a pair of states."""
    name = f"{states[1]} − {states[0]}"
    return name, f"{name}, same answer"


def plain_rows(rows: Sequence[DensityRow]) -> list[dict[str, Any]]:
    """Return rows as plain data for JSON."""
    return [
        {
            "condition": row.condition,
            "scope": row.scope,
            "threshold": row.threshold,
            **plain_interval(row.mean),
            "p": plain_number(round(row.p, 6)),
        }
        for row in rows
    ]


def plain_interval(mean: Interval) -> dict[str, Any]:
    """Return an interval as plain data for JSON."""
    limits = {"mean": mean.value, "low": mean.low, "high": mean.high}
    return {name: plain_number(round(v, 6)) for name, v in limits.items()} | {"n": mean.n}


def headline(rows: Sequence[DensityRow], states: tuple[str, str]) -> str:
    """Return a sentence on the difference of the two states by the published definition."""
    title = difference_names(states)[0]
    published = [r for r in rows if r.condition == title and r.threshold == THRESHOLD]
    by_scope = {row.scope: row.mean for row in published}
    mean = by_scope["text"]
    if not np.isfinite(mean.low):
        return f"Instruction density differs by {mean.value:+.2f} between {_both(states)}"
    if mean.low <= 0 <= mean.high:
        return f"No difference in instruction density is shown between {_both(states)}"
    more = "more" if mean.value > 0 else "fewer"
    sentence = f"instructions matter to {more} tokens of an answer with {states[1]}"
    relative = by_scope["prompt"]
    if relative.low * mean.value > 0 and relative.high * mean.value > 0:
        return sentence[0].upper() + sentence[1:]
    return f"Relative to the user's text alone, {sentence}"


def _both(states: tuple[str, str]) -> str:
    return f"{states[0]} and {states[1]}"
