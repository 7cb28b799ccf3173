"""Number of concepts, chosen by the stability of k-means over halves of the images."""

from dataclasses import dataclass

import numpy as np

from salix.compare.grouping import RegionLabels, RegionValues, group, half_samples, mean_agreements

COUNTS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30)
DEFAULT = 25  # of ACE, Ghorbani et al. (2019), arXiv:1902.03129
LEAST = 0.1  # criterion from which a number of concepts is more stable than for a Gaussian
SEPARATION = 0.05  # silhouette above the Gaussian's from which the groups are separate


@dataclass(frozen=True)
class CountStability:
    r"""Stability of one number of concepts.

    `stability` s: mean adjusted Rand index between fits on halves of the images, all regions being
    assigned to the nearest centre of each fit; `error`: its standard error over fits; `reference`
    s0: the same for a Gaussian of the same covariance; `criterion`: (s - s0) / (1 - s0);
    `silhouette` and `reference_silhouette`: mean silhouette coefficient of the first fit, in
    [-1, 1], and of the Gaussian's.
    """

    count: int
    stability: float
    error: float
    reference: float
    silhouette: float
    reference_silhouette: float

    @property
    def criterion(self) -> float:
        """Stability above the Gaussian's, 1 for perfect stability."""
        return (self.stability - self.reference) / max(1 - self.reference, 1e-6)

    @property
    def supported(self) -> bool:
        """Whether the groups are more stable and more separate than the Gaussian's."""
        separation = self.silhouette - self.reference_silhouette
        return self.criterion >= LEAST and separation >= SEPARATION


def choose_count(
    values: RegionValues,
    codes: RegionLabels,
    *,
    counts: tuple[int, ...] = COUNTS,
    fits: int = 6,
    seed: int = 0,
) -> tuple[int, tuple[CountStability, ...], bool]:
    r"""Choose the number of concepts of regions, from principal components.

    For each count k the criterion is (s - s0) / (1 - s0), where s is the stability of k-means over
    `fits` halves of the images, of `codes` 0, 1, …, and s0 that of a Gaussian with the same
    covariance. s alone prefers k = 2, since cutting an elongated cloud across its length is stable
    without any groups in it; s0 is as large then. Of the counts with a criterion of at least 0.1
    and a silhouette at least 0.05 above the Gaussian's, the choice is the largest whose criterion
    is within one standard error of the best: a finer partition that is as stable tells more. If
    there are none, no number of groups is supported by the data: ACE's 25 is used, or the largest k
    tried.

    Returns the count, the numbers for each k, and whether the data supports it. The stability of
    halves is after Lange et al. (2004), doi:10.1162/089976604773717621; the reference after the gap
    statistic of Tibshirani et al. (2001), doi:10.1111/1467-9868.00293.
    """
    rng = np.random.default_rng([seed, 1])
    gaussian = (rng.standard_normal(values.shape) * values.std(0)).astype(np.float32)
    near = rng.permutation(len(values))[:1500]
    grid = []
    for count in counts:
        partitions = _partitions(values, codes, count, fits, seed)
        agreements = mean_agreements(partitions)
        references = _partitions(gaussian, codes, count, fits, seed)
        grid.append(
            CountStability(
                count=count,
                stability=float(agreements.mean()),
                error=float(agreements.std(ddof=1) / np.sqrt(fits)),
                reference=float(mean_agreements(references).mean()),
                silhouette=silhouette(values[near], partitions[0][near]),
                reference_silhouette=silhouette(gaussian[near], references[0][near]),
            )
        )
    eligible = [g for g in grid if g.supported]
    if not eligible:
        return min(DEFAULT, counts[-1]), tuple(grid), False
    best = max(eligible, key=lambda g: g.criterion)
    bound = best.criterion - best.error / max(1 - best.reference, 1e-6)
    return max(g.count for g in eligible if g.criterion >= bound), tuple(grid), True


def _partitions(
    values: RegionValues, codes: RegionLabels, count: int, fits: int, seed: int
) -> list[np.ndarray]:
    return [
        group(values[half], count, seed + fit, restarts=2).predict(values)
        for fit, half in enumerate(half_samples(codes, fits, seed))
    ]


def silhouette(values: RegionValues, labels: RegionLabels) -> float:
    """Mean silhouette coefficient, in [-1, 1]; NaN for a single group or groups of one region.

    Rousseeuw (1987), doi:10.1016/0377-0427(87)90125-7.
    """
    from sklearn.metrics import silhouette_score

    groups = len(np.unique(labels))
    return float(silhouette_score(values, labels)) if 1 < groups < len(values) else float("nan")
