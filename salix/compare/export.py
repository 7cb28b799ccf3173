"""Tables of a comparison for other programs: regions and concepts as Parquet, all of it as JSON."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from salix.compare.comparison import Comparison
from salix.compare.plain import comparison_json, concept_row, image_sets
from salix.typing import InputError

SUFFIXES = (".regions.parquet", ".concepts.parquet", ".json")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def write_tables(comparison: Comparison, out: Path | str) -> tuple[Path, ...]:
    """Write the numbers of a comparison beside a page `out`, and return the paths.

    - `.regions.parquet`: a row for each region, `region_table`, for pandas, DuckDB and FiftyOne;
    - `.concepts.parquet`: a row for each concept, pair of models and set of images (all, quadrants
      and slices), `concept_table`;
    - `.json`: the header, headlines, concepts, groups, noise floor, quality and checks.

    Raises `InputError` for an `out` that has one of these names.
    """
    import pyarrow.parquet as pq

    out = Path(out)
    if out.is_dir() or out.name.endswith(SUFFIXES):
        raise InputError(f"{out} cannot be the page: name a file, such as compare.html")
    out.parent.mkdir(parents=True, exist_ok=True)
    regions, concepts, numbers = (out.with_suffix(suffix) for suffix in SUFFIXES)
    pq.write_table(region_table(comparison), regions)
    pq.write_table(concept_table(comparison), concepts)
    text = json.dumps(comparison_json(comparison), indent=1, ensure_ascii=False, allow_nan=False)
    numbers.write_text(text + "\n", encoding="utf-8")
    return regions, concepts, numbers


def region_table(comparison: Comparison) -> Any:
    """Arrow table with a row for each region.

    `id` and `image` (its index) name the image, `file` its path relative to the folder of the data
    where the id is one; `region` the segment, `concept` counts from 1; `bounding_box` is
    [x, y, width, height] in shares of the frame (FiftyOne's), `area` a share of it; `random_floor`
    marks regions for reference. `label` and `target` are class names. For each model NAME:
    `share_NAME`, `mass_NAME` (signed) as shares of its |attribution|, `drop_NAME` of the score,
    `rank_NAME` (0: not picked), `predicted_NAME`. Missing numbers and names are null.
    """
    import pyarrow as pa

    table, image = comparison.table, comparison.table.image
    y0, x0, y1, x1 = np.asarray(table.box, np.float64).T
    boxes = np.stack([x0, y0, x1 - x0, y1 - y0], 1)
    files = [str(id) if str(id).lower().endswith(PICTURES) else None for id in table.ids]
    names = np.array([*table.classes, None], object)

    def classes(codes: np.ndarray) -> Any:
        known = (codes >= 0) & (codes < len(table.classes))
        return pa.array(names[np.where(known, codes, -1)][image], pa.string())

    def numbers(values: np.ndarray) -> Any:
        return pa.array(np.asarray(values, np.float64), from_pandas=True)

    columns: dict[str, Any] = {
        "id": pa.array(np.asarray(table.ids, object)[image], pa.string()),
        "image": pa.array(image, pa.int32()),
        "file": pa.array(np.array(files, object)[image], pa.string()),
        "region": pa.array(table.region, pa.int32()),
        "concept": pa.array(comparison.concepts.labels + 1, pa.int32()),
        "bounding_box": pa.FixedSizeListArray.from_arrays(pa.array(boxes.reshape(-1)), 4),
        "area": numbers(table.area),
        "random_floor": pa.array(table.floor, pa.bool_()),
        "label": classes(table.labels),
        "target": classes(table.target),
    }
    for m, name in enumerate(comparison.models):
        columns[f"share_{name}"] = numbers(table.share[m])
        columns[f"mass_{name}"] = numbers(table.mass[m])
        columns[f"drop_{name}"] = numbers(table.drop[m])
        columns[f"rank_{name}"] = pa.array(table.rank[m], pa.int32())
        columns[f"predicted_{name}"] = classes(table.predicted[m])
    return pa.table(columns)


def concept_table(comparison: Comparison) -> Any:
    """Arrow table with a row for each concept, pair of models and set of images.

    `a`, `b` name the models; `kind` is "all", "quadrant" or the column of a slice, and `images_of`
    the quadrant or value; `concept` counts from 1. `share_a`, `share_b`, `difference` (a less b)
    with their limits `_low` and `_high`, in the unit of the comparison's scale; `p`, `q`,
    `significant`, `images`, `clusters`, `prevalence` and `contribution` are those of
    `ConceptDifference`. Undefined numbers are null.
    """
    import pyarrow as pa

    rows = [
        {"a": a, "b": b, "kind": kind, "images_of": name, **concept_row(d)}
        for a, b in combinations(comparison.models, 2)
        for kind, name, images in image_sets(comparison, a, b)
        for d in comparison.differences(a, b, images=images)
    ]
    return pa.Table.from_pylist(rows)
