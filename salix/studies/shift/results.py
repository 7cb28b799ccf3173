"""Concepts of the planted regions: rank, recall, difference and causal check, and their table."""

from dataclasses import dataclass

import numpy as np

from salix.compare import Comparison
from salix.compare.causal import concept_drops
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
    own, other = (float(np.nanmean(comparison.shares[x, :, k])) for x in (is_own, ~is_own))
    shape = (len(table.ids), concepts.count)
    drops = concept_drops(table.drop, table.image, concepts.labels, *shape)[:, planted, k]
    own_drop, other_drop = (drops[x].mean(0) for x in (is_own, ~is_own))
    clusters = None if table.clusters is None else table.clusters[planted]
    return PlantedRegion(
        generator,
        k,
        rank=int(np.flatnonzero(ranking == k)[0]) + 1,
        recall=float(overlap.recall[k]),
        precision=float(overlap.precision[k]),
        own=own,
        other=other,
        difference=intervals[k],
        p=float(p[k]),
        own_drop=float(np.nanmean(own_drop)),
        other_drop=float(np.nanmean(other_drop)),
        excess=mean_interval(own_drop - other_drop, level=comparison.level, clusters=clusters),
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
    """Print a column for each planted region."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("planted region", box=None, pad_edge=False)
    columns = []
    for region in regions:
        shown.add_column(region.generator, justify="right")
        columns.append(_lines(region, count))
    for title in dict.fromkeys(title for lines in columns for title in lines):
        shown.add_row(title, *(lines.get(title, "") for lines in columns))
    Console().print(shown)


def _lines(region: PlantedRegion, count: int) -> dict[str, str]:
    """Return the numbers of a region as text, by title."""
    if region.concept is None or region.difference is None or region.excess is None:
        return {"its concept": "none"}
    return {
        "its concept": f"concept {region.concept + 1}",
        "rank by |difference|": f"{region.rank} of {count}",
        "planted area in the concept": f"{region.recall:.0%}",
        "the concept's area that is planted": f"{region.precision:.0%}",
        "share, detectors trained on it": f"{region.own:.3f}",
        "share, the other detectors": f"{region.other:.3f}",
        "difference": _write(region.difference),
        "p, adjusted": "<0.001" if region.p < 0.001 else f"{region.p:.3f}",
        "fall of the score by masking": f"{region.own_drop:.2f}",
        "fall, the other detectors": f"{region.other_drop:.2f}",
        "difference of the falls": _write(region.excess, digits=2),
    }


def _write(x: Interval, digits: int = 3) -> str:
    return f"{x.value:+.{digits}f} [{x.low:+.{digits}f}, {x.high:+.{digits}f}]"
