"""P-values of a family of comparisons, corrected together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from salix.stats.comparison import GroupComparison
from salix.stats.permutation import holm, max_t, minimum_p


def correct_family(
    comparisons: Sequence[GroupComparison],
    *,
    level: float = 0.95,
    permutations: int = 10_000,
    seed: int = 0,
) -> list[GroupComparison]:
    """Comparisons with `p_adjusted`, the p-value corrected for their number.

    Holm's correction of `p_both`, over runs and images. Where the runs are enough for a permutation
    test to reach 1 - `level`, `p_adjusted` is at least that of Westfall and Young's `max_t`: the
    runs of two groups are exchanged for all their numbers at once, and p is multiplied by the
    number of such tests (Bonferroni). So a rejection holds for normal effects of runs and images,
    and for exchangeable runs of whatever distribution. The probability of one false rejection in
    the family is at most 1 - `level`. A comparison without `p_both` is no part of the family.
    """
    corrected = holm([c.p_both for c in comparisons])
    blocks = _blocks(comparisons)
    for (_, _, runs), members in blocks.items():
        if len(blocks) * minimum_p(*runs) > 1 - level:
            continue
        first, second = (
            np.array([comparisons[i].run_values[side] for i in members]).T for side in (0, 1)
        )
        p = len(blocks) * max_t(first, second, draws=permutations, seed=seed)
        corrected[members] = np.maximum(corrected[members], np.minimum(p, 1))
    return [replace(c, p_adjusted=float(p)) for c, p in zip(comparisons, corrected, strict=True)]


def least_p(comparisons: Sequence[GroupComparison]) -> dict[tuple[int, int], float]:
    """Smallest permutation p-value of the family, corrected, by the numbers of runs."""
    blocks = _blocks(comparisons)
    return {runs: min(1.0, len(blocks) * minimum_p(*runs)) for _, _, runs in blocks}


def _blocks(
    comparisons: Sequence[GroupComparison],
) -> dict[tuple[str, str, tuple[int, int]], list[int]]:
    """Places of the comparisons whose runs are exchanged together, by groups and numbers of runs.

    Those of the same two groups, which have the same runs if they have as many.
    """
    blocks: dict[tuple[str, str, tuple[int, int]], list[int]] = {}
    for i, c in enumerate(comparisons):
        if min(map(len, c.run_values)) and np.isfinite(c.p_both):
            blocks.setdefault((c.a, c.b, c.n_runs), []).append(i)
    return blocks
