"""XRAI's ordering of segments by the density of an attribution, for any masks and any map."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from salix.attribution.mask_bits import Atoms, BitPlanes, cut, pack_labels, pack_masks
from salix.hyperparameters import check_value, choice, integer, number
from salix.typing import InputError, Map

LEAST_PIXELS = integer(0)
AREA = number(lambda a: 0 <= a <= 1, remedy="give a share of the image's pixels, from 0 to 1")
Choice = list[tuple[int, np.ndarray]]  # each chosen mask with its atoms that no earlier one covers


@dataclass(frozen=True, eq=False)
class RankedSegments:
    """Disjoint segments of one image in XRAI's order.

    `rank` is the place of each pixel's segment, from 1. By rank, from 0: `gains` are the mean
    attributions of the segments, and `masks` the numbers of the masks that they were cut from, -1
    for the pixels that no chosen mask covers. `heatmap` is the gain of each pixel's segment: its
    sum over a segment is that of the attribution.
    """

    heatmap: Float[np.ndarray, "h w"]
    rank: Int[np.ndarray, "h w"]
    gains: Float[np.ndarray, " segments"]
    masks: Int[np.ndarray, " segments"]


def rank_segments(
    map: Map, masks: Any, *, order: str = "full", least_pixels: int = 50, area: float = 1.0
) -> RankedSegments:
    r"""Segments of an image in the order of XRAI, from ready-made masks and a ready-made map.

    `masks` are booleans [masks h w], which may overlap, or labels [levels h w] or [h w], where 0 is
    no segment and label m is mask m - 1. `map` is signed, [h w]; XRAI's is the maximum of an
    attribution over the channels. "full" starts with no pixel covered, M = {}, and repeats: masks
    with fewer than `least_pixels` pixels outside M are dropped; of the others the one with the
    greatest mean of the map over $s \setminus M$, the earliest of equals, becomes a segment; and M
    grows by it, until it covers more than the share `area` of the image. "fast" sorts the masks
    once by the mean over their own pixels and ignores `area`. The pixels that remain are a last
    segment; the others are ranked by their means.

    The map is rounded to 2^-(52 - log2 pixels) of its largest value, so that sums are exact: the
    order depends neither on the order of summation nor on the machine, and equal means are ties.
    Runs on the host. Raises `InputError` for masks of another shape and a map that is not finite.

    Kapishnikov et al. (2019), arXiv:1906.02825, sec. 3.
    """
    values, stack = np.asarray(map, np.float64), np.asarray(masks)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InputError(f"the map has shape {values.shape}: give finite numbers [height width]")
    stack = stack[None] if stack.ndim == 2 and stack.dtype.kind in "iu" else stack
    if stack.dtype.kind not in "biu" or stack.shape[1:] != values.shape or stack.min(initial=0) < 0:
        raise InputError(
            f"masks are {stack.dtype}{list(stack.shape)} and the map is {list(values.shape)}: give "
            "booleans [masks height width] or labels [levels height width], 0 for no segment"
        )
    boolean = stack.dtype.kind == "b"
    planes = pack_masks(stack) if boolean else pack_labels(stack)
    count = len(stack) if boolean else int(stack.max(initial=0))
    return rank_planes(values, planes, count, order=order, least_pixels=least_pixels, area=area)


def rank_planes(
    map: np.ndarray, planes: BitPlanes, count: int, *, order: str, least_pixels: int, area: float
) -> RankedSegments:
    """Return the segments of packed masks, see `rank_segments`."""
    check_value("order", order, choice(ORDERS))
    least = max(1, check_value("least_pixels", least_pixels, LEAST_PIXELS))
    atoms = cut(planes, count)
    flat = atoms.pixel.ravel()
    exponent = np.frexp(np.abs(map).max(initial=0))[1]
    exact = np.rint(np.ldexp(map.ravel(), 52 - map.size.bit_length() - exponent))
    weights = np.stack([np.bincount(flat, exact), np.bincount(flat)], 1).astype(float)
    chosen = ORDERS[order](atoms, weights, least, check_value("area", area, AREA) * map.size)

    step = np.full(len(weights), len(chosen))  # of each atom; the last is what remains
    for k, (_, covered) in enumerate(chosen):
        step[covered] = k
    numbers = np.array([mask for mask, _ in chosen] + [-1] * bool((step == len(chosen)).any()), int)
    sums, areas = (np.bincount(step, w, len(numbers)) for w in weights.T)
    places = np.argsort(-(sums / areas)[: len(chosen)], kind="stable")
    places = np.append(places, np.arange(len(chosen), len(numbers)))
    rank = np.argsort(places)[step][atoms.pixel]
    gains = np.bincount(rank.ravel(), map.ravel()) / np.bincount(rank.ravel())
    return RankedSegments(gains[rank], rank + 1, gains, numbers[places])


def _full(atoms: Atoms, weights: np.ndarray, least: int, area: float) -> Choice:
    """Return the greedy choice. An atom leaves the sums of its masks once, when it is covered."""
    sums, areas = _totals(atoms.members, weights)
    uncovered, candidates = np.ones(len(weights), bool), np.ones(atoms.members.shape[1], bool)
    chosen: Choice = []
    while weights[~uncovered, 1].sum() <= area:
        candidates &= areas >= least
        if not candidates.any():
            break
        best = int(np.where(candidates, sums / np.maximum(areas, 1), -np.inf).argmax())
        new = np.flatnonzero(atoms.members[:, best] & uncovered)
        chosen.append((best, new))
        uncovered[new] = candidates[best] = False
        sums, areas = (
            total - part
            for total, part in zip(
                (sums, areas), _totals(atoms.members[new], weights[new]), strict=True
            )
        )
    return chosen


def _fast(atoms: Atoms, weights: np.ndarray, least: int, area: float) -> Choice:
    """Return the masks by their own means, each with what is left of it."""
    del area
    sums, areas = _totals(atoms.members, weights)
    means = np.where(areas > 0, sums / np.maximum(areas, 1), -np.inf)
    uncovered = np.ones(len(weights), bool)
    chosen: Choice = []
    for mask in np.argsort(-means, kind="stable"):
        new = np.flatnonzero(atoms.members[:, mask] & uncovered)
        if weights[new, 1].sum() >= least:
            chosen.append((int(mask), new))
            uncovered[new] = False
    return chosen


def _totals(members: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the sum of the map over each mask, and its area: [2 masks]."""
    totals = np.zeros((2, members.shape[1]))
    for first in range(0, len(members), 4096):  # a bounded copy of the bits as numbers
        part = slice(first, first + 4096)
        totals += weights[part].T @ members[part].astype(float)
    return totals


ORDERS = {"full": _full, "fast": _fast}
