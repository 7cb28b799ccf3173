"""Headline of a comparison: one sentence on what two models look at, and what it is about."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from salix.compare.comparison import Comparison
from salix.compare.differences import ConceptDifference
from salix.stats import GroupComparison, Interval

Scope = Literal["two models", "one run against several", "groups"]
NOUNS = {  # of what the model with the greater value has, by scale
    "share": "more of its attribution",
    "signed": "more net attribution",
    "completeness": "more of its score",
    "rank": "a higher rank of attribution",
}
POINTS, PER_CENT = "\N{NO-BREAK SPACE}points", "\N{NO-BREAK SPACE}%"
MORE_SEEDS = (
    "One run is no sample of its recipe: a difference of one run against one may be a matter of "
    "the training seed. Train and sweep it again with other seeds and the same --group, and give "
    "all runs to compare"
)


@dataclass(frozen=True)
class ComparisonHeadline:
    """One sentence on two models or groups, the scope of its claim, and its evidence.

    `scope`: "two models" (on other images of the same kind; silent about other training seeds),
    "one run against several" (whether the one lies outside what the several do), or "groups" (on
    other runs and other images). `concept` is the one that the sentence names, None without a
    significant difference; `significant` counts the concepts that differ.
    """

    text: str
    scope: Scope
    evidence: tuple[str, ...]
    concept: int | None
    significant: int


def headline(comparison: Comparison, a: str, b: str) -> ComparisonHeadline:
    """Claim the largest significant difference of models a and b, by the rule of docs/claims.md.

    Where the group of either has several runs, the claim is about the groups, by
    `Comparison.group_comparisons`; else about these two models, by q. Without a significant
    difference the sentence says that they cannot be told apart, which is not that they are equal.
    """
    i, j = comparison.index(a), comparison.index(b)
    first, second = comparison.groups[i], comparison.groups[j]
    rows = [c for c in comparison.group_comparisons if {c.a, c.b} == {first, second}]
    if rows and max(rows[0].n_runs) > 1:
        return _of_groups(comparison, rows, i, j)
    return _of_models(comparison, a, b, reseeded=first == second)


def _of_models(comparison: Comparison, a: str, b: str, *, reseeded: bool) -> ComparisonHeadline:
    rows = comparison.differences(a, b)
    tested = [d for d in rows if d.images]
    significant = [rows[k] for k in comparison.ranking(a, b) if rows[k].significant]
    start = f"Of these two models{', which differ by their training seed' if reseeded else ''}: "
    if not tested:
        return ComparisonHeadline(f"{start}no image has a concept.", "two models", (), None, 0)
    images = len(comparison.table.ids)
    if all(d.difference.value == 0 and d.a.value == d.b.value for d in tested):
        text = (
            f"Of these two models: {a} and {b} have the same share of every concept in all "
            f"{images} images."
        )
        return ComparisonHeadline(text, "two models", (), None, 0)
    limit = () if reseeded else (MORE_SEEDS,)
    if not significant:
        text = (
            f"{start}{a} and {b} cannot be told apart in {_any(len(tested))} "
            f"({_count(images, 'image')})."
        )
        best = min(tested, key=lambda d: (np.nan_to_num(d.q, nan=2.0), -abs(d.difference.value)))
        evidence = (_cite(comparison, best), *limit)
        return ComparisonHeadline(text, "two models", evidence, None, 0)
    d = significant[0]
    winner, other = (a, b) if d.credited == 0 else (b, a)
    high, low = (d.a, d.b) if d.credited == 0 else (d.b, d.a)
    text = f"{start}{_claim(comparison, d.concept, winner, other, high.value, low.value)}"
    if len(significant) > 1:
        text += f"; {len(significant)} of {len(tested)} concepts differ"
    evidence = (_cite(comparison, d), *limit)
    return ComparisonHeadline(f"{text}.", "two models", evidence, d.concept, len(significant))


def _of_groups(
    comparison: Comparison, rows: list[GroupComparison], i: int, j: int
) -> ComparisonHeadline:
    first, second = comparison.groups[i], comparison.groups[j]
    level = 1 - comparison.level
    known = [c for c in rows if np.isfinite(c.p_adjusted)]
    significant = [c for c in known if c.p_adjusted <= level]
    single = [
        g for g, n in ((rows[0].a, rows[0].n_runs[0]), (rows[0].b, rows[0].n_runs[1])) if n == 1
    ]
    scope: Scope = "one run against several" if single else "groups"
    start = f"Of the one run of {single[0]}: " if single else ""
    limit = ()
    if single:
        runs = max(rows[0].n_runs)
        limit = (
            f"One run against {runs}: it is compared with their spread, and says nothing of other "
            f"runs of {single[0]}",
        )
    if not significant:
        text = f"{start}{first} and {second} cannot be told apart in {_any(len(known))}."
        best = min(known, key=lambda c: c.p_adjusted, default=None)
        evidence = (*((_cite_group(comparison, best),) if best else ()), *limit)
        return ComparisonHeadline(text, scope, evidence, None, 0)
    c = max(significant, key=lambda c: abs(c.difference.value))
    means = {c.a: float(np.mean(c.run_values[0])), c.b: float(np.mean(c.run_values[1]))}
    winner, other = (c.a, c.b) if c.difference.value > 0 else (c.b, c.a)
    text = _claim(comparison, int(c.key), winner, other, means[winner], means[other])
    if len(significant) > 1:
        text += f"; {len(significant)} of {len(known)} concepts differ"
    floor = _seed_floor(comparison, i, j, int(c.key))
    evidence = (_cite_group(comparison, c), floor, *limit)
    return ComparisonHeadline(f"{start}{text}.", scope, evidence, int(c.key), len(significant))


def write_value(comparison: Comparison, value: float, *, sign: bool = False) -> str:
    """Write a share in per cent, a difference (`sign`) in points, other scales as numbers."""
    plus = "+" if sign else ""
    if np.isnan(value):
        return "\N{EM DASH}"
    if comparison.scale == "completeness":
        text = f"{value:{plus}.3f}"
    else:
        text = f"{100 * value:{plus}.1f}{POINTS if sign else PER_CENT}"
    return text.replace("-", "\N{MINUS SIGN}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _any(concepts: int) -> str:
    return f"any of {concepts} concepts" if concepts > 1 else "the one concept"


def _claim(
    comparison: Comparison, concept: int, winner: str, other: str, high: float, low: float
) -> str:
    noun = NOUNS[comparison.scale]
    values = " against ".join(write_value(comparison, v) for v in (high, low))
    return f"{winner} has {noun} on {comparison.concept_name(concept)} than {other} ({values})"


def _cite(comparison: Comparison, d: ConceptDifference) -> str:
    """Cite the numbers of one concept."""
    tested = f"q = {d.q:.3f}" if d.q >= 0.001 else "no test" if np.isnan(d.q) else "q < 0.001"
    where = f"in {_count(d.images, 'image')}"
    if d.difference.clusters:
        where += f" of {_count(d.difference.clusters, 'group')}"
    name = comparison.concept_name(d.concept)
    return f"{name[0].upper()}{name[1:]}: {_size(comparison, d.difference)}, {tested}, {where}"


def _cite_group(comparison: Comparison, c: GroupComparison) -> str:
    p = f"p = {c.p_adjusted:.3f}" if c.p_adjusted >= 0.001 else "p < 0.001"
    runs = f"{c.n_runs[0]} runs of {c.a}, {c.n_runs[1]} of {c.b}"
    name = comparison.concept_name(int(c.key))
    size = _size(comparison, c.difference)
    return f"{name[0].upper()}{name[1:]}, {c.a} \N{MINUS SIGN} {c.b}: {size}, {p}, {runs}"


def _size(comparison: Comparison, interval: Interval) -> str:
    value, low, high = (
        write_value(comparison, v, sign=True) for v in (interval.value, interval.low, interval.high)
    )
    if not np.isfinite(interval.low):
        return value
    short = (v.removesuffix(POINTS) for v in (low, high))
    return f"{value} [{' to '.join(short)}]"


def _seed_floor(comparison: Comparison, i: int, j: int, concept: int) -> str:
    """Write how much reseeded runs of either group differ in a concept."""
    floor = comparison.null(comparison.models[i], comparison.models[j]).seed_floor[concept]
    size = write_value(comparison, float(floor), sign=True).removeprefix("+")
    return f"Runs of one group differ by up to {size} in it"
