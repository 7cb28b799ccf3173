"""Columns of one map: its entropies, its concentration, and its stored form."""

from salix.metrics import gini, histogram_entropy, spatial_entropy, to_8_bit
from salix.metrics.resizing import shrink
from salix.typing import Map, Values


def map_numbers(scaled: Map) -> Values:
    """Return the numbers of a map in [0, 1], which are undefined for a constant one."""
    return {
        "histogram_entropy": histogram_entropy(to_8_bit(scaled)),
        "spatial_entropy": spatial_entropy(scaled),
        "gini": gini(scaled),
    }


def stored_map(scaled: Map, maps: str | None, side: int) -> Values:
    """Return the column of a map in [0, 1] as the type `maps`; none for None."""
    if maps is None:
        return {}
    small = shrink(scaled, side)
    return {"map": to_8_bit(small) if maps == "uint8" else small.astype(maps)}
