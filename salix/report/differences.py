"""Which groups differ, in which number, by how much, and with which certainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from salix.reduce import Comparison, compare_groups, difference_interval, holm
from salix.report.columns import Column
from salix.report.common import values
from salix.report.tables import Numbers
from salix.store import Run

ALL_PAIRS = 5  # groups; of more, each is compared with the first alone
ALPHA = 0.05
SHOWN = 40  # rows on the page; all are in the files beside it
PERMUTATIONS = 5000


@dataclass(frozen=True)
class Difference:
    """A comparison with its column and its verdict in words."""

    column: Column
    comparison: Comparison

    @property
    def verdict(self) -> str:
        """Say what the corrected p value and the interval allow."""
        c = self.comparison
        if c.p_adjusted <= ALPHA:
            return "clear"
        if c.difference.low > 0 or c.difference.high < 0:
            return "interval only"
        return "not clear"


@dataclass(frozen=True)
class Differences:
    """All comparisons, the clearest first; `reference` is the group that others are held to."""

    found: tuple[Difference, ...]
    reference: str | None

    @property
    def clear(self) -> int:
        """How many are clear after the correction."""
        return sum(d.verdict == "clear" for d in self.found)

    @property
    def shown(self) -> tuple[Difference, ...]:
        """The first of them."""
        return self.found[:SHOWN]


def differences(
    runs: Sequence[Run], numbers: Numbers, columns: Sequence[Column]
) -> Differences | None:
    """Compare groups in every number of one value an image, and in AUC; None for one group.

    Over the images that all runs share, as `compare_groups` says, Holm's correction over all
    comparisons. AUC is a number of a run: it is compared where both groups have several.
    """
    groups = [g.name for g in numbers.groups]
    if len(groups) < 2:
        return None
    reference = None if len(groups) <= ALL_PAIRS else groups[0]
    named = {c.key: c for c in columns}
    tables: dict[str, Mapping[str, Any]] = {**values(runs, [*named]), **_areas(numbers)}
    found: list[Comparison] = []
    for key, table in tables.items():
        for a, b in combinations((g for g in groups if g in table), 2):
            if reference in (None, a):
                pair = {key: {b: table[b], a: table[a]}}
                found += compare_groups(pair, permutations=PERMUTATIONS)
    adjusted = holm([c.p for c in found]) if found else []
    told = [
        Difference(named[c.key], _whole(replace(c, p_adjusted=float(p)), numbers))
        for c, p in zip(found, adjusted, strict=True)
        if np.isfinite(c.difference.value)
    ]
    told.sort(key=_order)
    return Differences(tuple(told), reference) if told else None


def _areas(numbers: Numbers) -> Mapping[str, Mapping[str, Any]]:
    several = {g.name: g.values("auc") for g in numbers.groups if len(g.values("auc")) > 1}
    if len(several) < 2:
        return {}
    return {"auc": {name: np.array(found)[:, None] for name, found in several.items()}}


def _whole(c: Comparison, numbers: Numbers) -> Comparison:
    """Give a comparison of AUCs, one a run, its interval over runs and its number of images."""
    if c.key != "auc":
        return c
    of = {g.name: g for g in numbers.groups}
    difference = difference_interval(of[c.a].over_runs("auc"), of[c.b].over_runs("auc"))
    images = min(r.labelled for name in (c.a, c.b) for r in of[name].runs)
    return replace(c, difference=difference, n_images=images)


def _order(d: Difference) -> tuple[int, float, float]:
    rank = ("clear", "interval only", "not clear").index(d.verdict)
    c = d.comparison
    size = c.effect.value if np.isfinite(c.effect.value) else c.delta.value
    return rank, c.p_adjusted, -abs(size) if np.isfinite(size) else 0.0
