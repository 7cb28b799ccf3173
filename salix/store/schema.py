"""Arrow schema of a run, built from its columns."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from salix.typing import Column

# Columns of every run. `skipped` is null for an example that was measured; a skipped example has
# its index, id, reason and what its source knows without reading it, and nothing else.
KEYS = (
    Column("index", "Index", "Position of the example in the data.", 0, dtype="int64"),
    Column("id", "Id", "Stable id of the example.", dtype="string"),
    Column("skipped", "Skipped", "Reason why the example could not be read.", dtype="string"),
)


def arrow_schema(columns: Sequence[Column]) -> Any:
    """Return the Arrow schema of columns; arrays are fixed-size lists in row-major order.

    `dtype` is the name of a NumPy type, "string" (text) or "binary" (bytes of an encoded file).
    """
    import pyarrow as pa

    return pa.schema([(c.name, _arrow_type(c)) for c in columns])


def _arrow_type(column: Column) -> Any:
    import pyarrow as pa

    texts = {"string": pa.string(), "binary": pa.binary()}
    element = texts.get(column.dtype) or pa.from_numpy_dtype(np.dtype(column.dtype))
    return pa.list_(element, prod(column.shape)) if column.shape else element


def arrow_array(column: Column, values: Sequence[Any]) -> Any:
    """Return values of a column as an Arrow array; None is a missing value.

    An array has any shape with as many elements as the column's; None in it becomes NaN.
    """
    import pyarrow as pa

    if not column.shape:
        return pa.array(values, _arrow_type(column))
    size = prod(column.shape)
    missing = np.array([v is None for v in values], bool)
    elements = np.zeros((len(values), size), column.dtype)
    for row, value in zip(elements, values, strict=True):
        if value is not None:
            row[:] = np.asarray(value, column.dtype).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(
        pa.array(elements.reshape(-1)), size, mask=pa.array(missing)
    )


def stacked_array(column: Column, values: np.ndarray, missing: np.ndarray | None = None) -> Any:
    """Return the rows [n *shape] of a column as an Arrow array, null where `missing` [n].

    It shares the memory of `values` where their type is the column's.
    """
    import pyarrow as pa

    values = np.ascontiguousarray(values, column.dtype)
    mask = None if missing is None or not missing.any() else missing
    if not column.shape:
        return pa.array(values, _arrow_type(column), mask=mask, from_pandas=False)
    if mask is not None:
        values = np.where(mask.reshape(-1, *[1] * (values.ndim - 1)), values.dtype.type(0), values)
    nulls = None if mask is None else pa.array(mask)
    return pa.FixedSizeListArray.from_arrays(
        pa.array(values.reshape(-1), from_pandas=False), prod(column.shape), mask=nulls
    )


def numpy_array(column: Column, values: Any) -> np.ndarray:
    """Return an Arrow array of a column as NumPy, [n *shape].

    Missing numbers are NaN, or -1 for signed integers, 0 for unsigned ones and False for flags;
    missing texts and bytes are None.
    """
    array = empty_array(column, len(values))
    if values.null_count == 0:
        present: Any = slice(None)
    else:
        present = values.is_valid().to_numpy(zero_copy_only=False)
        values = values.drop_null()
    if column.shape:
        values = values.flatten()
    elements = values.to_numpy(zero_copy_only=False)
    array[present] = elements.reshape(-1, *column.shape)
    return array


def empty_array(column: Column, count: int) -> np.ndarray:
    """Return `count` missing values of a column as NumPy."""
    if column.dtype in ("string", "binary"):
        return np.full((count, *column.shape), None, object)
    dtype = np.dtype(column.dtype)
    missing = {"f": np.nan, "i": -1}.get(dtype.kind, 0)
    return np.full((count, *column.shape), missing, dtype)
