"""Agreement between runs that differ by seed only, from their stored maps."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import jax
import numpy as np

from salix.metrics import ssim
from salix.reduce import Interval, mean_interval
from salix.store import Run


def agreement(runs: Sequence[Run]) -> dict[str, Interval]:
    """Return the agreement of each group of two or more runs: mean SSIM of their 8-bit maps.

    For each image, the mean over all pairs of runs of the SSIM between their maps on the native
    grid (window 7, or the largest odd one that fits); then mean and interval over the images that
    no run skipped and for which no run has a dead map. The runs are taken as given: the interval
    says nothing of other seeds. Range -1 to 1, 1 for equal maps.

    Crum et al. (2023), arXiv:2303.11969, salience stability across training runs.
    """
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.group].append(run)
    return {
        name: mean_interval(per_image(members))
        for name, members in groups.items()
        if len(members) > 1 and len({m.grid for m in members}) == 1 and min(members[0].grid) > 2
    }


def per_image(runs: Sequence[Run]) -> np.ndarray:
    """Return the mean SSIM over pairs of runs for each image that all of them have explained."""
    alive = [dict(zip(r.rows["id"], ~r.rows["dead"], strict=True)) for r in runs]
    shared = [i for i, live in alive[0].items() if live and all(a.get(i, False) for a in alive[1:])]
    if not shared:
        return np.zeros(0)
    maps = []
    for run in runs:
        place = {i: n for n, i in enumerate(run.rows["id"])}
        maps.append(run.rows["map"][[place[i] for i in shared]])
    window = min(7, (min(runs[0].grid) - 1) // 2 * 2 + 1)
    alike = jax.jit(jax.vmap(lambda a, b: ssim(a, b, window=window, data_range=255)))
    return np.mean([np.asarray(alike(a, b)) for a, b in combinations(maps, 2)], axis=0)
