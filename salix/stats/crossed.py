"""Variance of an estimate over runs and the images that they share, from its contributions.

The error of the mean of an estimate over runs has a part from the runs, the variance of their
estimates, and one from the images, the (cluster-robust) variance of the contributions of the images
averaged over runs. The interaction of run and image is contained in both and is counted once (Owen,
2007, arXiv:0712.1111). The degrees of freedom are Satterthwaite's (1946, doi:10.2307/3002019).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.stats.clusters import ClusterDesign, known_codes, quantile
from salix.stats.interval import NAN, Interval, wilson_limits


@dataclass(frozen=True, eq=False)
class RunErrors:
    """Estimates `[run]` of the runs of a group, and contributions `[run image]` to their errors."""

    values: np.ndarray
    errors: np.ndarray


def crossed_variance(groups: Sequence[RunErrors], design: ClusterDesign) -> tuple[float, float]:
    """Variance of the mean of one group, or of the difference of two, and its degrees of freedom.

    Of groups with a single run, the variance over images alone; of others at least that, which a
    few runs may miss by chance.
    """
    images = _image_error(groups)
    fixed, freedom = design.variance(images), design.freedom(images)
    if min(len(g.values) for g in groups) < 2:
        return fixed, freedom
    parts, interaction = [], 0.0
    for g in groups:
        runs = len(g.values)
        parts.append((float(g.values.var(ddof=1)) / runs, runs - 1.0))
        interaction += float(design.totals(g.errors).var(0, ddof=1).sum()) / runs
    parts.append((max(fixed - interaction, 0.0), freedom))
    total, squares = sum(v for v, _ in parts), sum(v**2 / f for v, f in parts)
    return (total, total**2 / squares) if total > fixed else (fixed, freedom)


def _image_error(groups: Sequence[RunErrors]) -> np.ndarray:
    """Contributions `[image]` to the error of the mean, or of the first mean less the second."""
    first, *second = (g.errors.mean(0) for g in groups)
    return first - second[0] if second else first


def crossed_mean(
    values: Any, *, level: float = 0.95, clusters: Any = None, proportion: bool = False
) -> Interval:
    r"""Mean of `values[run, image]` with an interval over runs and images, in their units.

    Student's interval with the variance and the degrees of freedom of `crossed_variance`; of a
    `proportion`, Wilson's with the number of images that would have that variance. Images count
    where every run has a value. `clusters[image]` names the cluster of dependent images of each.
    NaN limits for a single image or cluster. `bootstrap_mean` is slower, and follows the skewness
    of the images.
    """
    table = np.atleast_2d(np.asarray(values, np.float64))
    known = np.isfinite(table).all(axis=0)
    x, undefined = table[:, known], int((~known).sum())
    n = x.shape[1]
    if not n:
        return Interval(NAN, NAN, NAN, 0, undefined)
    codes = None if clusters is None else known_codes(clusters, known)
    design = ClusterDesign.of(n, codes)
    means = x.mean(1)
    value, count = float(means.mean()), 0 if codes is None else design.count
    if design.count < 2:
        return Interval(value, NAN, NAN, n, undefined, count)
    errors = (x - means[:, None]) / n
    variance, freedom = crossed_variance([RunErrors(means, errors)], design)
    t = quantile(freedom, (1 + level) / 2)
    if not proportion:
        half = t * float(np.sqrt(variance))
        return Interval(value, value - half, value + half, n, undefined, count)
    spread = value * (1 - value)
    effective = min(spread / variance, n * len(x)) if variance > 0 else design.effective_count
    return Interval(value, *wilson_limits(value, effective, t), n, undefined, count)
