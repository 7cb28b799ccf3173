"""Which groups differ, in which number, by how much, and with which certainty."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from salix.analysis.columns import TableColumn
from salix.analysis.common import scores, values
from salix.analysis.significance import VERDICTS, Difference, Differences
from salix.analysis.summary import Numbers
from salix.stats import (
    GroupComparison,
    Interval,
    auc_difference,
    compare_groups,
    difference_interval,
    holm,
)
from salix.stats.interval import NAN
from salix.store import Run

ALL_PAIRS = 5  # groups; of more, each is compared with the first alone
PERMUTATIONS = 5000
Scores = Mapping[str, tuple[np.ndarray, np.ndarray]]


def differences(
    runs: Sequence[Run], numbers: Numbers, columns: Sequence[TableColumn]
) -> Differences | None:
    """Compare groups in every number of one value an image, in AUC and in agreement.

    Over the images that all runs share: see `compare_tables`. None for one group.
    """
    tables = values(runs, [c.key for c in columns])
    return compare_tables(tables, numbers, columns, scores(runs))


def compare_tables(
    tables: Mapping[str, Mapping[str, Any]],
    numbers: Numbers,
    columns: Sequence[TableColumn],
    scores: Scores | None = None,
) -> Differences | None:
    """Compare groups in `tables[number][group]`, [run, image], and in what is not of an image.

    As `compare_groups` says, with Holm's correction over all comparisons. AUC takes the place of
    accuracy: as a number of a run where both groups have several, else by `scores[group]`, leads
    and labels `[run, image]`, as `auc_difference` does over the images for which both groups give
    one label. Of images that only one group has nothing is said, as they differ from those of the
    other in more than the model. Agreement is a number of two runs: groups of three or more are
    compared by its interval, without a test. None where nothing can be compared.
    """
    groups = [g.name for g in numbers.groups]
    reference = None if len(groups) <= ALL_PAIRS else groups[0]
    pairs = [(a, b) for a, b in combinations(groups, 2) if reference in (None, a)]
    named, areas = {c.key: c for c in columns}, _areas(numbers)
    several = [p for p in pairs if set(p) <= areas.keys()]
    by_image = {
        p: c for p in pairs if p not in several and (c := _of_images(p, scores or {})) is not None
    }
    found: list[GroupComparison] = list(by_image.values())
    for key, table in {**tables, "auc": areas}.items():
        for a, b in pairs:
            replaced = key == "accuracy" and ((a, b) in several or (a, b) in by_image)
            if {a, b} <= table.keys() and not replaced:
                pair = {key: {b: table[b], a: table[a]}}
                found += compare_groups(pair, permutations=PERMUTATIONS)
    adjusted = holm([c.p for c in found])
    held = [
        _whole(replace(c, p_adjusted=float(p)), numbers)
        for c, p in zip(found, adjusted, strict=True)
    ]
    held += _agreements(numbers, pairs)
    told = [Difference(named[c.key], c) for c in held if np.isfinite(c.difference.value)]
    told.sort(key=_order)
    return Differences(tuple(told), reference) if told else None


def _areas(numbers: Numbers) -> Mapping[str, Any]:
    several = {g.name: g.values("auc") for g in numbers.groups if len(g.values("auc")) > 1}
    return {name: np.array(found)[:, None] for name, found in several.items()}


def _of_images(pair: tuple[str, str], scores: Scores) -> GroupComparison | None:
    """Compare AUCs over images, the second group less the first; None where one has no AUC."""
    if not set(pair) <= scores.keys():
        return None
    (two, of_two), (one, of_one) = (scores[name] for name in pair)
    labels = np.concatenate([of_one, of_two])
    known = (labels == labels[0]).all(0) & (labels[0] >= 0)
    one, two = (np.where(known, leads, np.nan) for leads in (one, two))
    difference, p = auc_difference(one, two, np.where(known, labels[0], 0))
    if np.isnan(difference.value):
        return None
    nothing, counts = Interval(NAN, NAN, NAN, 0), (len(one), len(two))
    tests = (p, NAN, nothing, nothing)
    return GroupComparison("auc", pair[1], pair[0], difference, *tests, counts, difference.n)


def _whole(c: GroupComparison, numbers: Numbers) -> GroupComparison:
    """Give a comparison of AUCs, one a run, its interval over runs and its number of images."""
    if c.key != "auc" or c.over != "runs":
        return c
    of = {g.name: g for g in numbers.groups}
    difference = difference_interval(of[c.a].over_runs("auc"), of[c.b].over_runs("auc"))
    images = min(r.labelled for name in (c.a, c.b) for r in of[name].runs)
    return replace(c, difference=difference, n_images=images)


def _agreements(numbers: Numbers, pairs: Sequence[tuple[str, str]]) -> list[GroupComparison]:
    """Compare agreements whose intervals are over runs; to exchange labels would mix the groups."""
    of = {g.name: g for g in numbers.groups if g.agreement is not None and len(g.runs) > 2}
    nothing = Interval(NAN, NAN, NAN, 0)
    found = []
    for first, second in pairs:
        if not {first, second} <= of.keys():
            continue
        a, b = of[second], of[first]
        one, two = a.shown("agreement"), b.shown("agreement")
        difference, images = difference_interval(one, two), min(one.n, two.n)
        tests = (NAN, NAN, nothing, nothing)
        counts = (len(a.runs), len(b.runs))
        found.append(
            GroupComparison("agreement", second, first, difference, *tests, counts, images)
        )
    return found


def _order(d: Difference) -> tuple[int, float, float]:
    c = d.comparison
    size = c.effect.value if np.isfinite(c.effect.value) else c.delta.value
    p = c.p_adjusted if np.isfinite(c.p_adjusted) else np.inf
    return VERDICTS.index(d.verdict), p, -abs(size) if np.isfinite(size) else 0.0
