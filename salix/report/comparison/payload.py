r"""Numbers of the page as JSON, from which the browser recomputes every table for a view.

A *view* is a pair of models, a quadrant and a slice. M models, N images, K concepts, R regions.

| key | value |
|---|---|
| `title`, `warnings` | text; list of texts |
| `facts` | rows [term, text] of the header |
| `models` | [{name, colour, path, facts}]: `path` draws the model's sign |
| `classes` | names of the classes |
| `scale` | {key, name, short, percent}: what `shares` measures |
| `test` | {level, draws, flips, seed}: options of intervals and tests |
| `images` | {count, ids, label, target int16 [N], predicted int16 [M N], correct uint8 [M N], confidence uint8 [M N] in 1/254 (255: unknown), known uint8 [N] (label known), cluster int32 [N] or null} |
| `slices` | [{name, values, codes int16 [N]}], -1 where missing |
| `concepts` | [{stability, odd, masking: {"a-b": text row}}], K |
| `shares` | {zero, step, codes uint16 [M N K]}: value = (code - zero) * step, 65535 undefined |
| `regions` | {image int32, concept int16 (-1: none), floor uint8, x, y float32 (NaN: not on the map) [R], box uint8 [R 4] in 1/255 of the frame, shares [M R]} |
| `examples` | K lists of regions, the most diverse first |
| `differences` | {"a-b": rows of `difference_row`}: the numbers over all images, for a < b |
| `null`, `quality`, `difference_concepts` | panels, null where not computed |
| `maps`, `pictures` | see `page.py` and `maps.py` |
"""  # noqa: E501

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from salix.compare import Comparison, RegionTable
from salix.report.comparison.facts import comparison_facts, model_facts
from salix.report.comparison.packing import pack, quantise
from salix.report.palette import Palette

UNKNOWN = 255  # code of an unknown confidence


def build_payload(comparison: Comparison, *, title: str) -> dict[str, Any]:
    """Return the payload of a comparison, but for its maps and pictures."""
    table, models = comparison.table, comparison.models
    palette = Palette(tuple(models))
    pairs = list(combinations(range(len(models)), 2))
    return {
        "title": title,
        "warnings": list(comparison.notes),
        "facts": comparison_facts(comparison),
        "models": [
            {"name": name, "colour": palette[name].colour, "path": palette[name].path}
            | {"facts": model_facts(run)}
            for name, run in zip(models, comparison.runs, strict=True)
        ],
        "classes": list(comparison.runs[0].classes),
        "scale": SCALES[comparison.scale] | {"key": comparison.scale},
        "test": {"level": 0.95, "draws": 2000, "flips": 9999, "seed": comparison.seed},
        "images": _images(comparison),
        "slices": [
            {"name": name, **_codes(values)} for name, values in comparison.slices.items()
        ],
        "concepts": _concepts(comparison),
        "shares": quantise(comparison.shares),
        "regions": _regions(comparison),
        "examples": [[int(r) for r in row] for row in comparison.examples],
        "differences": {
            f"{a}-{b}": [difference_row(d) for d in comparison.differences(models[a], models[b])]
            for a, b in pairs
        },
    }
