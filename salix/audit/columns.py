"""Columns of measured images that are screened, and their common size and coding."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from salix.audit.measurement import MeasuredImages
from salix.audit.own_columns import own_columns
from salix.audit.properties import KEYS, PROPERTIES, Property
from salix.audit.screening import format_columns

# Copies have the size and quality of the 5th percentile, so that few images are enlarged or keep
# more of their own coding than others; within these limits, of pixels and of JPEG's qualities.
SMALL = 5
SIDES, QUALITIES = (32, 512), (20, 90)


def screened_columns(
    images: MeasuredImages, screened: np.ndarray, table: Path | str | None
) -> list[tuple[Property, np.ndarray]]:
    """Return the properties of the screened images that some of them have."""
    values = images.values[screened]
    columns = format_columns([images.formats[i] for i in screened.tolist()])
    columns += [
        (p, column)
        for p, column in zip(PROPERTIES, values.T, strict=True)
        if np.isfinite(column).any()
    ]
    if table is not None:
        sizes = values[:, [KEYS.index("width"), KEYS.index("height")]]
        ids = [images.ids[i] for i in screened.tolist()]
        columns += own_columns(Path(table), ids, sizes)
    return columns


def common_value(
    images: MeasuredImages, screened: np.ndarray, keys: Sequence[str], limits: tuple[int, int]
) -> int:
    """Return the 5th percentile of the least of some properties; the upper limit if unknown."""
    columns = images.values[screened][:, [KEYS.index(key) for key in keys]]
    values = np.fmin.reduce(columns, axis=1)  # of those that are known
    values = values[np.isfinite(values)]
    if not len(values):
        return limits[1]
    return int(np.clip(np.percentile(values, SMALL, method="lower"), *limits))
