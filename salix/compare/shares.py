"""Share of each concept in the attribution of each image, over the union of its regions."""

import numpy as np
from jaxtyping import Float, Integer

from salix.compare.region_table import RegionTable
from salix.typing import InputError

SCALES = ("share", "signed", "completeness", "rank")
LEAST_CHANGE = 0.05  # of the total: |f(x) - f(x')| below it makes "completeness" undefined
CHUNK = 2**15  # unions that are unpacked at once


def concept_shares(
    table: RegionTable,
    concept: Integer[np.ndarray, " regions"],
    count: int,
    *,
    scale: str = "share",
) -> Float[np.ndarray, "models images concepts"]:
    r"""Return the share of each concept in each image, by each model.

    With $U_{ik}$ the union of the image's regions of concept $k$ on the grid, so that regions that
    overlap count once, and $a_i$ the attribution,
    "share" is $\sum_{p \in U_{ik}} |a_i(p)| / \sum_p |a_i(p)|$, in [0, 1]: it does not change with
    the scale of the logits. "signed" is $\sum_{p \in U_{ik}} a_i(p) / \sum_p |a_i(p)|$, in [-1, 1].
    "completeness" is $\sum_{p \in U_{ik}} a_i(p) / (f(x_i) - f(x'_i))$, unbounded, NaN where
    $|f(x_i) - f(x'_i)| < 0.05 \sum_p |a_i(p)|$ or the method has no baseline. "rank" is the
    percentile of the share among all shares of that model, in (0, 1), ties in the middle.

    `concept` has a number below `count` for each region; -1 belongs to none. NaN where the image
    has no region of the concept, or no attribution. Raises `InputError` for other numbers.
    """
    if scale not in SCALES:
        raise InputError(f"scale is {scale!r}: choose {', '.join(SCALES)}")
    concept = np.asarray(concept)
    if concept.shape != table.image.shape:
        raise InputError(
            f"concept has shape {concept.shape} for {len(table.image)} regions: give a number each"
        )
    if concept.size and not -1 <= concept.min() <= concept.max() < count:
        raise InputError(
            f"concepts are numbered {concept.min()} to {concept.max()}, expected -1 to {count - 1}"
        )
    image, number, cells, starts = _unions(table, concept, count)
    shares = np.full((len(table.models), len(table.ids), count), np.nan, np.float32)
    maps_of = table.density if scale in ("share", "rank") else table.signed
    for own, maps in zip(shares, maps_of, strict=True):
        own[image, number] = _sums(maps, image, cells, starts) / table.side**2
    if scale == "completeness":
        change = np.where(is_defined(table), table.net - table.completeness, np.nan)
        shares *= (table.total / change)[:, :, None]
    shares[~(table.total > 0)] = np.nan
    if scale == "rank":
        from scipy.stats import rankdata

        for own in shares:
            valid = ~np.isnan(own)
            own[valid] = (rankdata(own[valid]) - 0.5) / max(valid.sum(), 1)
    return shares


def is_defined(table: RegionTable) -> np.ndarray:
    """Whether the scale "completeness" is defined for an image, [models images]."""
    with np.errstate(invalid="ignore"):
        return np.abs(table.net - table.completeness) >= LEAST_CHANGE * table.total


def _unions(
    table: RegionTable, concept: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return image and concept of each union, its cells one after another, and where they start."""
    member = np.flatnonzero(concept >= 0)
    key = table.image[member].astype(np.int64) * count + concept[member]
    order = np.argsort(key, kind="stable")
    member, key = member[order], key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    cells, sizes = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for a in range(0, len(first), CHUNK):
        part = first[a : a + CHUNK]
        end = first[a + CHUNK] if a + CHUNK < len(first) else len(member)
        bits = np.bitwise_or.reduceat(table.masks[member[part[0] : end]], part - part[0], axis=0)
        row, cell = np.nonzero(np.unpackbits(bits, axis=1, count=table.side**2).view(bool))
        cells.append(cell.astype(np.int32))
        sizes.append(np.bincount(row, minlength=len(part)))
    starts = np.cumsum(np.concatenate([[0], *sizes]))
    image, number = np.divmod(key[first], max(count, 1))
    return image, number, np.concatenate(cells), starts


def _sums(maps: np.ndarray, image: np.ndarray, cells: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the sum of each union's cells of its image's map, [unions]."""
    sums = np.zeros(len(image))
    for a in range(0, len(image), CHUNK):
        b = min(a + CHUNK, len(image))
        sizes = np.diff(starts[a : b + 1])
        values = maps[np.repeat(image[a:b], sizes), cells[starts[a] : starts[b]]]
        values = np.append(values.astype(np.float64), 0.0)  # where the last union has no cell
        sums[a:b] = np.where(sizes > 0, np.add.reduceat(values, starts[a:b] - starts[a]), 0.0)
    return sums
