"""Whose column of a row is whose: no measure may write over another's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from salix.store import KEYS
from salix.typing import Column, InputError, Measure


def standard_columns(classes: int, grid: Sequence[int]) -> tuple[Column, ...]:
    """Return the columns of any sweep of a classifier, beside the keys and those of measures."""
    axes = ("y", "x") if len(grid) == 2 else tuple(f"axis {i}" for i in range(len(grid)))
    entropy = "Shannon entropy over the greatest possible"
    return (
        Column("label", "Label", "Index of the example's class, -1 where unknown.", dtype="int32"),
        Column("predicted", "Predicted class", "Index of the greatest logit.", 0, dtype="int32"),
        Column("target", "Target", "Index of the explained class.", 0, dtype="int32"),
        Column("logits", "Logits", dims=("class",), shape=(classes,)),
        Column("score", "Score", "The scalar that the map explains."),
        Column("histogram_entropy", "Histogram entropy", f"{entropy}, of 8-bit values.", 0, 1),
        Column("spatial_entropy", "Spatial entropy", f"{entropy}, over pixels.", 0, 1),
        Column("gini", "Gini", "Gini index of the map, 1 where one pixel has everything.", 0, 1),
        Column("constant_map", "Constant map", "The map has no contrast.", dtype="bool"),
        Column("finite", "Finite", "Logits and map have no NaN or infinity.", dtype="bool"),
        Column(
            "map", "Map", "The map, scaled by its own range.", 0, 255, dims=axes,
            shape=tuple(grid), dtype="uint8",
        ),
        Column("thumb", "Thumbnail", "The image, small, as JPEG.", dtype="binary"),
        Column("reference_mask", "Reference mask", "As grey PNG.", dtype="binary"),
    )  # fmt: skip


ROW = tuple(c.name for c in (*KEYS, *standard_columns(1, (1,))))


def run_columns(measures: Sequence[Measure], traced: Mapping[str, Any]) -> tuple[Column, ...]:
    """Return all columns of a run, given the traced columns of a batch."""
    described = {c.name: c for m in measures for c in getattr(m, "columns", ())}
    standard = standard_columns(traced["logits"].shape[1], traced["map"].shape[1:])
    added = []
    for name, array in traced.items():
        if name not in ROW:
            column = described.get(name, Column(name))
            shape = array.shape[1:]
            axes = tuple(f"{name} {i}" for i in range(len(shape)))
            dims = (column.axis,) if column.axis and len(shape) == 1 else column.dims or axes
            added.append(replace(column, shape=shape, dims=dims, dtype="float32"))
    return (*KEYS, *standard, *added)


def claim(owners: dict[str, Measure], measure: Measure, names: Iterable[str]) -> None:
    """Enter the columns of a measure among those that have an owner.

    Raises `InputError` for a column that another measure, or every sweep, writes already.
    """
    kind = type(measure).__name__
    for name in names:
        if name in ROW:
            raise InputError(f"{kind} writes the column {name!r}, as every sweep does: rename it")
        if name in owners:
            other = owners[name]
            able = any(hasattr(m, "prefix") for m in (measure, other))
            remedy = "give one another prefix=…" if able else "leave one of them to another run"
            raise InputError(
                f"{type(other).__name__} and {kind} both write the column {name!r}: {remedy}"
            )
        owners[name] = measure
