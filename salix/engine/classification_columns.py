"""Columns of every sweep of an image classifier, the measures' apart."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from salix.engine.labelled_images import FRAMES, GROUP, HOST_COLUMNS
from salix.store import KEYS
from salix.typing import Column

MapType = Literal["uint8", "float16", "float32"]
ENTROPY = "Shannon entropy over the greatest possible"
LOGITS = (
    Column("predicted", "Predicted class", "Index of the greatest logit.", 0, dtype="int32"),
    Column(
        "target", "Target", "Index of the explained class; -1: the score has none.", dtype="int32"
    ),
    Column("logits", "Logits", dims=("class",)),
)
NUMBERS = (
    Column("score", "Score", "The scalar that the map explains."),
    Column("histogram_entropy", "Histogram entropy", f"{ENTROPY}, of the 8-bit values.", 0, 1),
    Column("spatial_entropy", "Spatial entropy", f"{ENTROPY}, over the map's pixels.", 0, 1),
    Column("gini", "Gini", "Gini index of the map: 1 where one pixel has all of it.", 0, 1),
    Column("constant_map", "Constant map", "The map has no contrast.", dtype="bool"),
    Column("finite", "Finite", "Logits and map have no NaN or infinity.", dtype="bool"),
)
MAP = Column("map", "Map", "The map, scaled by its own least and greatest value.")
RESERVED = frozenset(c.name for c in (*KEYS, *HOST_COLUMNS, GROUP, *FRAMES, *LOGITS, *NUMBERS, MAP))


def row_columns(classes: int, grid: Sequence[int]) -> tuple[Column, ...]:
    """Return the columns of any sweep of so many classes with 8-bit maps of a shape, keys apart."""
    *indices, logits = LOGITS
    dims = ("y", "x") if len(grid) == 2 else tuple(f"axis {i}" for i in range(len(grid)))
    stored = replace(MAP, low=0, high=255, dims=dims, shape=tuple(grid), dtype="uint8")
    return (*HOST_COLUMNS, *indices, replace(logits, shape=(classes,)), *NUMBERS, stored)
