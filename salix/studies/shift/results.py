"""Concepts of the planted regions: rank, recall, difference and causal check, and their table."""

from dataclasses import dataclass

import numpy as np

from salix.compare import Comparison
from salix.compare.differences import rank_concepts
from salix.stats import Interval, mean_interval
from salix.studies.planted import planted_overlap
from salix.studies.shift.data import GENERATORS, ShiftFaces, generator_mask

INSIDE = 0.5  # precision from which a concept lies in a planted region


@dataclass(frozen=True)
class PlantedRegion:
    """The concept of a generator's region that differs most between the two groups of runs.

    `concept` is None where no concept lies in the region (half of its area or more, in the images
    that have it); the other numbers are then undefined. `rank` counts from 1, by |difference|.
    `recall` and `precision` are those of `PlantedOverlap`. `own` and `other` are mean shares of the
    group that was trained on this generator and of the other one, `difference` the former less the
    latter over runs and images (over images with one run each), with its adjusted p-value.
    `own_drop` and `other_drop` are the mean falls of the score by masking a region of the concept,
    in units of the model's mean |drop|, over the images that have the planted region, and `excess`
    is their difference.
    """

    generator: str
    concept: int | None = None
    rank: int = 0
    recall: float = np.nan
    precision: float = np.nan
    own: float = np.nan
    other: float = np.nan
    difference: Interval | None = None
    p: float = np.nan
    own_drop: float = np.nan
    other_drop: float = np.nan
    excess: Interval | None = None


def planted_regions(comparison: Comparison, faces: ShiftFaces) -> tuple[PlantedRegion, ...]:
    """Return the results of each generator's region."""
    return tuple(_planted_region(comparison, faces, name) for name in GENERATORS)


def _planted_region(comparison: Comparison, faces: ShiftFaces, generator: str) -> PlantedRegion:
    table, concepts = comparison.table, comparison.concepts
    place = {id: i for i, id in enumerate(faces.test().ids)}
    order = np.array([place[id] for id in table.ids])
    planted = faces.planted(generator)[order]
    mask = _on_grid(generator_mask(generator), table.side)
    overlap = planted_overlap(table, concepts.labels, concepts.count, planted[:, None, None] * mask)
    is_own = np.array([group == generator for group in comparison.groups])
    intervals, p, images = _differences(comparison, is_own)
    ranking = rank_concepts(np.array([d.value for d in intervals]), images)
    inside = [k for k in ranking if overlap.precision[k] >= INSIDE]
    if not inside:
        return PlantedRegion(generator)
    k = int(inside[0])
    means = [float(np.nanmean(comparison.shares[rows, :, k])) for rows in (is_own, ~is_own)]
    drops = [np.mean(comparison.drops[rows][:, planted, k], axis=0) for rows in (is_own, ~is_own)]
    clusters = None if table.clusters is None else table.clusters[planted]
    return PlantedRegion(
        generator,
        k,
        int(np.flatnonzero(ranking == k)[0]) + 1,
        float(overlap.recall[k]),
        float(overlap.precision[k]),
        *means,
        intervals[k],
        float(p[k]),
        *(float(np.nanmean(d)) for d in drops),
        mean_interval(drops[0] - drops[1], level=comparison.level, clusters=clusters),
    )


def _differences(
    comparison: Comparison, is_own: np.ndarray
) -> tuple[list[Interval], np.ndarray, np.ndarray]:
    """Differences of the group `is_own` less the other one, p-values and images, by concept."""
    own, other = (comparison.models[int(np.flatnonzero(x)[0])] for x in (is_own, ~is_own))
    images = np.array([d.images for d in comparison.differences(own, other)])
    if not comparison.group_comparisons:
        rows = comparison.differences(own, other)
        return [d.difference for d in rows], np.array([d.q for d in rows]), images
    rows = {int(c.key): c for c in comparison.group_comparisons}
    sign = (
        1 if comparison.group_comparisons[0].a == comparison.groups[comparison.index(own)] else -1
    )
    ordered = [rows[k] for k in range(comparison.concepts.count)]
    intervals = [c.difference if sign > 0 else _negated(c.difference) for c in ordered]
    return intervals, np.array([c.p_adjusted for c in ordered]), images


def _negated(x: Interval) -> Interval:
    return Interval(-x.value, -x.high, -x.low, x.n, x.undefined, x.clusters)


def _on_grid(mask: np.ndarray, side: int) -> np.ndarray:
    """Return a mask as flags on a grid of `side`, by the nearest pixel as labels are sampled."""
    nearest = ((np.arange(side) + 0.5) * len(mask) / side).astype(int)
    return (mask[np.ix_(nearest, nearest)] > 0.5).astype(np.float32)


def print_planted(regions: tuple[PlantedRegion, ...], count: int) -> None:
    """Print a line for each planted region."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("planted region", box=None, pad_edge=False)
    for title in ("concept", f"rank of {count}", "recall", "share own", "other", "difference"):
        shown.add_column(title, justify="right")
    for title in ("p", "masking own", "other", "excess"):
        shown.add_column(title, justify="right")
    for row in regions:
        if row.concept is None or row.difference is None or row.excess is None:
            shown.add_row(row.generator, "none")
            continue
        p = "<0.001" if row.p < 0.001 else f"{row.p:.3f}"
        shown.add_row(
            row.generator,
            str(row.concept + 1),
            str(row.rank),
            f"{row.recall:.2f}",
            f"{row.own:.3f}",
            f"{row.other:.3f}",
            _write(row.difference),
            p,
            f"{row.own_drop:.1f}",
            f"{row.other_drop:.1f}",
            _write(row.excess, digits=1),
        )
    Console().print(shown)


def _write(x: Interval, digits: int = 3) -> str:
    return f"{x.value:+.{digits}f} [{x.low:+.{digits}f}, {x.high:+.{digits}f}]"
