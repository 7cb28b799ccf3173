"""All numbers of a comparison as plain values for JSON and Parquet."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from salix.analysis.summary import plain_interval, plain_number
from salix.compare.claims import headline
from salix.compare.comparison import Comparison
from salix.compare.differences import ConceptDifference
from salix.compare.header import comparison_header
from salix.stats import Interval

ALL = "all images"


def image_sets(
    comparison: Comparison, a: str, b: str
) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """Kind, name and mask of all images, the quadrants of two models and the slices."""
    yield "all", ALL, None
    masks = comparison.quadrant_masks(a, b)
    if any(mask.any() for mask in masks.values()):
        yield from (("quadrant", name, mask) for name, mask in masks.items())
    yield from ((s.column, s.value, s.images) for s in comparison.slices)


def concept_row(d: ConceptDifference) -> dict[str, Any]:
    """Numbers of one concept as plain values; NaN is None."""
    row: dict[str, Any] = {"concept": d.concept + 1}
    for name, interval in (("share_a", d.a), ("share_b", d.b), ("difference", d.difference)):
        limits = (interval.value, interval.low, interval.high)
        row |= dict(
            zip((name, f"{name}_low", f"{name}_high"), map(plain_number, limits), strict=True)
        )
    row |= {"p": plain_number(d.p), "q": plain_number(d.q), "significant": d.significant}
    row |= {"images": d.images, "clusters": d.difference.clusters}
    return row | {
        "prevalence": plain_number(d.prevalence),
        "contribution": plain_number(d.contribution),
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """All of a comparison but its regions as plain values for JSON; NaN is None."""
    return {
        "header": comparison_header(comparison),
        "pairs": [pair_json(comparison, a, b) for a, b in combinations(comparison.models, 2)],
        "groups": [
            {
                "concept": int(c.key) + 1,
                "a": c.a,
                "b": c.b,
                "runs": list(c.n_runs),
                "difference": plain_interval(c.difference),
                "p_both": plain_number(c.p_both),
                "p_adjusted": plain_number(c.p_adjusted),
            }
            for c in comparison.group_comparisons
        ],
        "quality": [
            {"model": q.model}
            | {n: _interval(getattr(q, n)) for n in ("deletion", "moved", "gain", "sic")}
            | {"missing": q.missing}
            for q in comparison.quality
        ],
    }


def pair_json(comparison: Comparison, a: str, b: str) -> dict[str, Any]:
    """All numbers of two models, by set of images, with the noise floor and the checks."""
    null, ranking = comparison.null(a, b), comparison.stability(a, b)
    head, checks = headline(comparison, a, b), comparison.causal(a, b)
    sets = [
        {
            "kind": kind,
            "images_of": name,
            "images": len(comparison.table.ids) if images is None else int(images.sum()),
            "concepts": [concept_row(d) for d in comparison.differences(a, b, images=images)],
        }
        for kind, name, images in image_sets(comparison, a, b)
    ]
    return {
        "a": a,
        "b": b,
        "headline": head.text,
        "scope": head.scope,
        "evidence": list(head.evidence),
        "ranking": [k + 1 for k in comparison.ranking(a, b)],
        "sets": sets,
        "null": {
            "greatest_difference": plain_number(null.observed),
            "greatest_of_swaps": plain_number(null.floor),
            "p": plain_number(null.p),
            "concepts": [plain_number(v) for v in null.concept],
            "reseeded": [
                {"a": s.a, "b": s.b, "greatest_difference": plain_number(s.greatest)}
                for s in null.seeds
            ],
            "reseeded_concepts": [plain_number(v) for v in null.seed_floor],
        },
        "ranking_stability": {
            "top": [k + 1 for k in ranking.top],
            "overlap": plain_number(ranking.overlap),
            "overlap_of_95_percent": plain_number(ranking.least),
            "same_first": plain_number(ranking.first),
            "chance": plain_number(ranking.chance),
        },
        "masking": [
            {
                "concept": c.concept + 1,
                "credited": None if c.credited < 0 else (a, b)[c.credited],
                "outcome": c.outcome,
                "drop_a": plain_interval(c.a),
                "drop_b": plain_interval(c.b),
                "excess": plain_interval(c.excess),
            }
            for c in checks
        ],
        "odd_concepts": [o.concept + 1 for o in comparison.odd(a, b)],
    }


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else plain_interval(interval)
