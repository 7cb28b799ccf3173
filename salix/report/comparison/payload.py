"""Numbers of the page as JSON, from which the browser recomputes every table for a view.

A view is a pair of models, a quadrant and a slice. With M models, N images, K concepts, R regions:

- `title`, `warnings`, `facts`: texts of the header; `models`: name, colour and sign of each;
- `classes`, `scale` (texts of the unit), `test` (level, draws, flips, seed);
- `images`: count, ids, label int16 [N], target int16 [N] or [M N], predicted int16, correct uint8
  and confidence uint8 in 1/254 [M N] (255: unknown), known uint8 [N], cluster int32 [N] or null;
- `slices`: name, values, codes int16 [N], -1 where missing;
- `concepts`: the stability of each, null where unknown; `shares`: `quantise` [M N K];
- `regions`: image int32, concept int16 (-1: none), floor uint8, x and y float32 (NaN: not on the
  map) [R], box uint8 [R 4] in 1/255 of the frame, shares: `quantise` [M R];
- `examples`: regions of each concept; `pairs`: places of the models;
- by pair "i-j", i < j: `differences`, `headlines`, `null`, `masking`, `odd`,
  `difference_concepts`; `quality` by model;
- `maps` and `pictures`: see maps.py and page.py.

Arrays are packed, see `pack`.
"""

from itertools import combinations
from typing import Any

import numpy as np

from salix.analysis.summary import plain_number
from salix.compare import Comparison, comparison_header
from salix.compare.claims import NOUNS
from salix.compare.differences import DRAWS, FLIPS, ConceptDifference
from salix.compare.notes import OWN_PREDICTION
from salix.report.comparison.facts import facts
from salix.report.comparison.packing import pack, quantise
from salix.report.comparison.panels import pair_panels, quality_rows
from salix.report.palette import Palette

UNKNOWN = 255  # code of an unknown confidence
SCALES = {
    "share": ("share of |attribution|", "an image's total |attribution|"),
    "signed": ("net share of the attribution", "an image's total |attribution|"),
    "completeness": ("share of the score", "f(x) − f(x')"),
    "rank": ("percentile of the share", "the ranks of a model's shares"),
}


def build_payload(comparison: Comparison, *, title: str) -> dict[str, Any]:
    """Return the payload of a comparison, but for its maps and pictures."""
    table, models, header = comparison.table, comparison.models, comparison_header(comparison)
    palette = Palette(tuple(models))
    name, of = SCALES[comparison.scale]
    pairs = [(comparison.index(a), comparison.index(b)) for a, b in comparison.pairs]
    stability = np.asarray(comparison.concepts.concept_stability, np.float64)
    payload: dict[str, Any] = {
        "title": title,
        "warnings": list(comparison.notes),
        "facts": facts(comparison, header),
        "models": [
            {"name": m, "colour": palette[m].colour, "path": palette[m].path} for m in models
        ],
        "pairs": pairs,
        "classes": list(table.classes),
        "scale": {"key": comparison.scale, "name": name, "of": of, "what": NOUNS[comparison.scale]}
        | {"percent": comparison.scale != "completeness"},
        "test": {"level": comparison.level, "draws": DRAWS, "flips": FLIPS}
        | {"seed": comparison.seed},
        "images": _images(comparison),
        "slices": _slices(comparison),
        "concepts": [{"stability": plain_number(s)} for s in stability],
        "shares": quantise(comparison.shares),
        "regions": _regions(comparison),
        "examples": [[int(r) for r in row] for row in comparison.examples],
        "differences": {
            f"{i}-{j}": [_row(d) for d in comparison.differences(models[i], models[j])]
            for i, j in combinations(range(len(models)), 2)
        },
        "quality": quality_rows(comparison, header),
    }
    return payload | pair_panels(comparison, pairs)


def _row(d: ConceptDifference) -> dict[str, Any]:
    intervals = {n: getattr(d, n) for n in ("a", "b", "difference")}
    row = {
        n: [plain_number(i.value), plain_number(i.low), plain_number(i.high)]
        for n, i in intervals.items()
    }
    numbers = ("p", "q", "prevalence", "contribution")
    return row | {"images": d.images} | {n: plain_number(getattr(d, n)) for n in numbers}


def _images(comparison: Comparison) -> dict[str, Any]:
    table = comparison.table
    sure = np.clip(np.asarray(table.confidence, np.float64), 0, 1)
    codes = np.where(np.isfinite(sure), np.rint(np.nan_to_num(sure) * (UNKNOWN - 1)), UNKNOWN)
    cluster, own = table.clusters, table.explained == OWN_PREDICTION
    return {
        "count": len(table.ids),
        "ids": [str(id) for id in table.ids],
        "label": pack(table.labels.astype(np.int16)),
        "known": pack((table.labels >= 0).astype(np.uint8)),
        "target": pack((table.predicted if own else table.target).astype(np.int16)),
        "predicted": pack(table.predicted.astype(np.int16)),
        "correct": pack(table.correct.astype(np.uint8)),
        "confidence": pack(codes.astype(np.uint8)),
        "cluster": None if cluster is None else pack(np.asarray(cluster).astype(np.int32)),
    }


def _slices(comparison: Comparison) -> list[dict[str, Any]]:
    columns: dict[str, list[Any]] = {}
    for s in comparison.slices:
        columns.setdefault(s.column, []).append(s)
    slices = []
    for name, members in columns.items():
        codes = np.full(len(comparison.table.ids), -1, np.int16)
        for code, s in enumerate(members):
            codes[s.images] = code
        slices.append({"name": name, "values": [s.value for s in members], "codes": pack(codes)})
    return slices


def _regions(comparison: Comparison) -> dict[str, Any]:
    table, positions = comparison.table, np.asarray(comparison.positions, np.float32)
    return {
        "image": pack(table.image.astype(np.int32)),
        "concept": pack(np.asarray(comparison.concepts.labels).astype(np.int16)),
        "floor": pack(table.floor.astype(np.uint8)),
        "x": pack(positions[:, 0]),
        "y": pack(positions[:, 1]),
        "box": pack(np.rint(np.clip(table.box, 0, 1) * 255).astype(np.uint8)),
        "shares": quantise(table.mass if comparison.scale == "signed" else table.share),
    }
