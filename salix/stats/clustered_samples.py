"""Errors of two empirical distribution functions of images in clusters."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from salix.stats.auc import auc_error, clustered_limits, placement_values
from salix.stats.clusters import ClusterDesign, quantile
from salix.stats.interval import NAN
from salix.stats.sample import Sample, joint_clusters

DRAWS = 1000
GRID = 200  # points of the pooled sample at which errors are drawn


@dataclass(frozen=True, eq=False)
class ClusteredSamples:
    """Two samples of images in clusters; a cluster may lie in both."""

    a: np.ndarray
    b: np.ndarray
    design: ClusterDesign

    @staticmethod
    def of(a: Sample, b: Sample) -> "ClusteredSamples | None":
        """Join two samples; None where one is empty, and for independent images."""
        codes = joint_clusters(a, b)
        m, n = len(a.values), len(b.values)
        if codes is None or not m or not n:
            return None
        design = ClusterDesign.of(m + n, codes, np.repeat([0, 1], [m, n]))
        return ClusteredSamples(a.values, b.values, design)

    def auc(self, level: float) -> tuple[float, float, float]:
        """Probability of superiority of a, and its limits."""
        v10, v01 = placement_values(self.a, self.b)
        error = auc_error(v10, v01, np.repeat([1, 0], [len(v10), len(v01)]))
        return float(v10.mean()), *clustered_limits(float(v10.mean()), error, self.design, level)

    def margin(self, norm: Callable[[np.ndarray, np.ndarray], np.ndarray], level: float) -> float:
        """Quantile of a norm of the error of $F_a - F_b$, `norm(|error| [draw point], widths)`."""
        both = np.sort(np.concatenate([self.a, self.b]))
        points = np.unique(both[np.linspace(0, len(both) - 1, GRID).round().astype(int)])
        # The part of each image is 1 up to its value and 0 beyond, less the mean, over its sample.
        parts = [
            ((x <= points[:, None]) - (x <= points[:, None]).mean(1, keepdims=True)) * sign / len(x)
            for x, sign in ((self.a, 1), (self.b, -1))
        ]
        errors = np.concatenate(parts, axis=1)  # [point image]
        totals = self.design.totals(errors)
        if not np.isfinite(totals).all():
            return NAN
        draws = (
            _normal()[:, : len(points)]
            @ np.linalg.cholesky(totals @ totals.T + 1e-12 * np.eye(len(points))).T
        )
        norms = norm(np.abs(draws), np.diff(points))
        freedom = self.design.freedom(errors[np.argmax((errors**2).sum(1))])
        student = quantile(freedom, (1 + level) / 2) / special.ndtri((1 + level) / 2)
        return float(np.quantile(norms, level) * student)


@lru_cache(maxsize=1)
def _normal() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(DRAWS, GRID))
