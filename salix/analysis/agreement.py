"""Agreement between runs, from their stored maps: those of a group differ by seed only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from salix.analysis.common import shared_images
from salix.analysis.run_stability import stability
from salix.stats import Interval, bootstrap_pairwise_mean, mean_interval
from salix.store import Run
from salix.typing import InputError

SETTINGS = ("grid", "attribution", "pooling", "score")  # what must be the same of two maps


@dataclass(frozen=True, eq=False)
class Common:
    """The stored maps of several runs over the images that all of them have explained.

    `maps` [run image *grid], zeros where constant; `ids` in the order of the first run; `left_out`
    counts, run by run, the explained images that another run lacks.
    """

    ids: tuple[str, ...]
    maps: UInt8[np.ndarray, "runs images *grid"]
    left_out: tuple[int, ...]


def common(runs: Sequence[Run]) -> Common:
    """Return the maps of runs over the images that they share.

    Raises `InputError`, naming the runs, for no run and for runs whose maps are not of one kind:
    on another grid, or by another attribution, pooling or score.
    """
    if not runs:
        raise InputError("no run given: name at least one")
    if unlike := differing(runs):
        told = "; ".join(
            f"{what}: " + ", ".join(f"{run.name} has {held!r}" for run, held in by.items())
            for what, by in unlike.items()
        )
        raise InputError(f"the maps cannot be compared ({told}): choose runs that agree in these")
    ids, places = shared_images(runs)
    maps = np.zeros((len(runs), len(ids), *runs[0].grid), np.uint8)
    for run, at, shared in zip(runs, places, maps, strict=True):
        alive = ~run.rows["constant_map"][at].astype(bool)
        shared[alive] = run.rows["map"][at[alive]]
    left_out = tuple(len(run.rows["id"]) - len(ids) for run in runs)
    return Common(tuple(ids), maps, left_out)


def differing(runs: Sequence[Run]) -> dict[str, dict[Run, Any]]:
    """Return what each run says of each setting in which they are not all the same."""
    held = {what: {r: r.manifest["config"].get(what) for r in runs} for what in SETTINGS}
    return {w: by for w, by in held.items() if any(v != by[runs[0]] for v in by.values())}


def agreement(runs: Sequence[Run]) -> dict[str, Interval]:
    """Return the agreement of each group of two or more runs: mean SSIM of their 8-bit maps.

    The mean over images and pairs of runs of the SSIM between their maps on the native grid
    (window 7, or the largest odd one that fits), over the images that all runs of the group have
    explained, without those for which a run has a constant map: these are counted as undefined. The
    interval is over images and, from three runs on, over runs: not over pairs, which share runs.
    Range -1 to 1, 1 for equal maps. A group whose maps are not of one kind, or below 3 cells, has
    none.

    Crum et al. (2023), arXiv:2303.11969, salience stability across training runs.
    """
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.group].append(run)
    return {
        name: _mean_of_pairs(members)
        for name, members in groups.items()
        if len(members) > 1 and not differing(members) and min(members[0].grid) > 2
    }


def _mean_of_pairs(runs: Sequence[Run]) -> Interval:
    found = stability(common(runs).maps)
    if not found.values.size or not np.isfinite(found.values).all(0).any():
        return replace(mean_interval([]), undefined=found.values.shape[1])
    return bootstrap_pairwise_mean(found.values, found.pairs)


@dataclass(frozen=True, eq=False)
class Compared:
    """All runs against each other over the images that they share.

    `mean` [run run] is the mean SSIM of two runs' maps; `within` [images] the mean over the pairs
    of runs of one group, then over groups: how stable an image's map is under training again, NaN
    everywhere where no group has two runs.
    """

    runs: tuple[Run, ...]
    ids: tuple[str, ...]
    mean: Float[np.ndarray, "runs runs"]
    within: Float[np.ndarray, " images"]
    left_out: tuple[int, ...]


def compare_maps(runs: Sequence[Run]) -> Compared | None:
    """Compare the maps of all runs; None where they cannot be: one run, or maps of two kinds."""
    has = [r for r in runs if _finished(r)]
    if len(has) < 2 or differing(has) or min(has[0].grid, default=0) < 3:
        return None
    shared = common(has)
    if not shared.ids:
        return None
    found = stability(shared.maps)
    groups = list(dict.fromkeys(r.group for r in has))
    within = np.full((len(groups), len(shared.ids)), np.nan)
    for g, name in enumerate(groups):
        own = [n for n, pair in enumerate(found.pairs) if {has[i].group for i in pair} == {name}]
        if own:
            within[g] = found.values[own].mean(0, dtype=np.float64)
    counts = np.isfinite(within).sum(0)
    mean = np.where(counts > 0, np.nansum(within, 0) / np.maximum(counts, 1), np.nan)
    return Compared(tuple(has), shared.ids, found.mean, mean, shared.left_out)


def _finished(run: Run) -> bool:
    try:
        return len(run.rows["id"]) > 0
    except InputError:
        return False
