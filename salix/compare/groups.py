"""Differences of groups of runs in each concept, with the runs as a random factor."""

from collections.abc import Sequence

import numpy as np

from salix.stats import GroupComparison, compare_groups

PERMUTATIONS = 2000  # random ones, where there are more; p over images alone is not shown


def compare_concepts_of_groups(
    shares: np.ndarray,
    groups: Sequence[str],
    *,
    clusters: np.ndarray | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[GroupComparison, ...]:
    """Compare each two groups of runs in each concept, over runs and over images.

    `shares` `[runs images concepts]`, with the group of each run; runs of one group differ by their
    training seed. `compare_groups`: an effect on these runs and images is significant where
    `p_adjusted`, corrected over all concepts and pairs of groups, is at most 1 - level. `key` is
    the index of the concept as text. One run against several is compared with their spread. Empty
    where no group has two runs: nothing then separates the recipe from its seed.
    """
    names = list(dict.fromkeys(groups))
    members = {name: np.flatnonzero([g == name for g in groups]) for name in names}
    if len(names) < 2 or max(map(len, members.values())) < 2:
        return ()
    tables = {}
    for k in range(shares.shape[2]):
        own = {name: shares[index, :, k] for name, index in members.items()}
        tables[str(k)] = own
    comparisons = compare_groups(
        tables, level=level, clusters=clusters, seed=seed, permutations=PERMUTATIONS
    )
    return tuple(comparisons)
