"""Agreement of salience maps between runs, from the stored maps."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from salix.analysis.frame import Frame, shared_clusters, shared_examples
from salix.analysis.run_stability import stability
from salix.stats import Interval, bootstrap_pairwise_mean, mean_interval
from salix.store import Run
from salix.typing import InputError

SETTINGS = ("grid", "attribution", "pooling", "score")  # must be the same for maps to be compared


@dataclass(frozen=True, eq=False)
class SharedMaps:
    """Stored maps of several runs over the images that all of them have explained.

    `maps` [run image *grid] are 8-bit, zeros where constant; `ids` in the order of the first run;
    `left_out` counts, run by run, the explained images that another run lacks; `clusters` are the
    codes of the clusters of dependent images, None for independent ones.
    """

    ids: tuple[str, ...]
    maps: UInt8[np.ndarray, "runs images *grid"]
    left_out: tuple[int, ...]
    clusters: np.ndarray | None = None


def shared_maps(runs: Sequence[Run]) -> SharedMaps:
    """Return the maps of runs over the images that they share.

    Raises `InputError`, naming the runs, for no run, for a run without maps, and for runs whose
    maps cannot be compared: on another grid, or by another attribution, pooling or score.
    """
    if not runs:
        raise InputError("no run given: name at least one")
    if without := [run.name for run in runs if "map" not in run.columns]:
        raise InputError(f"no maps are stored in {', '.join(without)}: sweep with maps")
    if different := _different_settings(runs):
        texts = "; ".join(
            f"{setting}: " + ", ".join(f"{run.name} has {v!r}" for run, v in values.items())
            for setting, values in different.items()
        )
        raise InputError(f"the maps cannot be compared ({texts}): choose runs that agree in these")
    frames = [Frame(run) for run in runs]
    ids, places = shared_examples(frames)
    maps = np.zeros((len(runs), len(ids), *runs[0].columns["map"].shape), np.uint8)
    for frame, place, shared in zip(frames, places, maps, strict=True):
        contrast = ~frame.constant_map[place]
        shared[contrast] = eight_bit(frame.run.read(["map"])["map"])[place[contrast]]
    left_out = tuple(len(frame) - len(ids) for frame in frames)
    return SharedMaps(tuple(ids), maps, left_out, shared_clusters(frames, places))


def eight_bit(maps: np.ndarray) -> np.ndarray:
    """Return maps in 8 bits; those stored as floats in [0, 1] are rounded down, as a sweep does."""
    return maps if maps.dtype == np.uint8 else (np.nan_to_num(maps) * 255).astype(np.uint8)


def _different_settings(runs: Sequence[Run]) -> dict[str, dict[Run, Any]]:
    """Return the value of each setting in which runs differ, run by run."""
    settings = {
        name: {
            r: r.columns["map"].shape if name == "grid" else r.manifest["config"].get(name)
            for r in runs
        }
        for name in SETTINGS
    }
    return {n: by for n, by in settings.items() if any(v != by[runs[0]] for v in by.values())}


def _comparable(runs: Sequence[Run]) -> bool:
    """Return whether SSIM can compare the maps: of one kind, on a grid of 3 pixels or more."""
    if any("map" not in run.columns for run in runs) or _different_settings(runs):
        return False
    return min(runs[0].columns["map"].shape, default=0) > 2


def group_agreement(runs: Sequence[Run]) -> dict[str, Interval]:
    """Return the agreement of each group of two or more runs: mean SSIM of their 8-bit maps.

    The mean over images and pairs of runs of the SSIM between their maps on the native grid
    (window 7, or the largest odd one that fits), over the images that all runs of the group have
    explained, without those for which a run has a constant map: these are counted as undefined. The
    interval is over images and, from three runs on, over runs: not over pairs, which share runs.
    Range -1 to 1, 1 for equal maps. A group whose maps cannot be compared, or are smaller than 3
    pixels, has none.

    Crum et al. (2023), arXiv:2303.11969, salience stability across training runs.
    """
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.group].append(run)
    return {
        name: _mean_over_pairs(members)
        for name, members in groups.items()
        if len(members) > 1 and _comparable(members)
    }


def _mean_over_pairs(runs: Sequence[Run]) -> Interval:
    shared = shared_maps(runs)
    similarity = stability(shared.maps)
    values = similarity.values
    if not values.size or not np.isfinite(values).all(0).any():
        return replace(mean_interval([]), undefined=values.shape[1])
    return bootstrap_pairwise_mean(values, similarity.pairs, clusters=shared.clusters)


@dataclass(frozen=True, eq=False)
class RunSimilarity:
    """Similarity of the maps of all runs to each other, over the images that they share.

    `mean` [run run] is the mean SSIM of two runs' maps; `within` [images] the mean over the pairs
    of runs of one group, then over groups: how stable an image's map is under training again, NaN
    everywhere where no group has two runs; `between` [images] the mean over all pairs of runs.
    """

    runs: tuple[Run, ...]
    ids: tuple[str, ...]
    mean: Float[np.ndarray, "runs runs"]
    within: Float[np.ndarray, " images"]
    between: Float[np.ndarray, " images"]
    left_out: tuple[int, ...]
    clusters: np.ndarray | None = None


def run_similarity(runs: Sequence[Run]) -> RunSimilarity | None:
    """Compare the maps of all runs that have rows; None for one run, or maps of two kinds."""
    measured = [r for r in runs if "map" in r.columns and len(Frame(r))]
    if len(measured) < 2 or not _comparable(measured):
        return None
    shared = shared_maps(measured)
    if not shared.ids:
        return None
    similarity = stability(shared.maps)
    groups = list(dict.fromkeys(r.group for r in measured))
    within = np.full((len(groups), len(shared.ids)), np.nan)
    for g, name in enumerate(groups):
        pairs = [
            n for n, p in enumerate(similarity.pairs) if {measured[i].group for i in p} == {name}
        ]
        if pairs:
            within[g] = similarity.values[pairs].mean(0, dtype=np.float64)
    counts = np.isfinite(within).sum(0)
    mean = np.where(counts > 0, np.nansum(within, 0) / np.maximum(counts, 1), np.nan)
    return RunSimilarity(
        tuple(measured),
        shared.ids,
        similarity.mean,
        mean,
        similarity.per_image,
        shared.left_out,
        shared.clusters,
    )
