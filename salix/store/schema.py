"""Columns of a run's Parquet parts."""

from collections.abc import Mapping, Sequence
from typing import Any

SCALARS = ("score", "histogram_entropy", "spatial_entropy", "gini")
STANDARD = (
    "predicted",
    "target",
    "logits",
    *SCALARS,
    "constant_map",
    "finite",
    "map",
)  # of any sweep


def schema(classes: int, grid: Sequence[int], measures: Mapping[str, tuple[int, ...]]) -> Any:
    """Return the Arrow schema of a run.

    One row an image: a skipped one has its reason in `skipped` and nothing else. `map` is the
    8-bit map on its grid, row by row; `thumb` and `reference_mask` are images kept for the report's
    gallery, for a few rows. `measures` gives the shape of each number that measures add.
    """
    import pyarrow as pa

    cells = 1
    for side in grid:
        cells *= side
    extra = [(n, pa.list_(pa.float32()) if s else pa.float32()) for n, s in measures.items()]
    return pa.schema(
        [
            ("index", pa.int64()),
            ("id", pa.string()),
            ("label", pa.int32()),  # index of a class of the model; null if unknown
            ("skipped", pa.string()),  # reason; null for an image that was measured
            ("predicted", pa.int32()),
            ("target", pa.int32()),  # the explained class
            ("logits", pa.list_(pa.float32(), classes)),
            *((name, pa.float32()) for name in SCALARS),
            ("constant_map", pa.bool_()),  # a map without contrast: it defines no entropy
            ("finite", pa.bool_()),  # logits and map are free of NaN and infinity
            ("map", pa.list_(pa.uint8(), cells)),
            *extra,
            ("thumb", pa.binary()),  # JPEG
            ("reference_mask", pa.binary()),  # PNG, grey, of the same size
        ]
    )
