"""Performance against information: the curve of one image, and of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from salix.hyperparameters import FLAG, check_value, number
from salix.typing import AnyArray, InputError

SHARE = number(lambda n: 0 <= n <= 1, remedy="give a share, from 0 to 1")
POINTS = np.append(np.arange(1000) / 1000, 1.0)  # of information, where curves are sampled
CurveValues = Float[np.ndarray, "points"]  # at `POINTS`

Numbers = Sequence[float | int] | Shaped[AnyArray, " steps"]


@dataclass(frozen=True, eq=False)
class InformationCurve:
    """Performance against information of one image, both as shares of the image's own.

    `values` are at the 1001 `POINTS` of information, and `area` in [0, 1] is the area under them
    (trapezoid), higher for a better map. For each step: `information` and `performance` as shares,
    and `revealed`, the share of the pixels that the map reveals. `skipped` is the reason for which
    the curve of an image is not defined, with NaN for its numbers; otherwise "".
    """

    values: CurveValues
    area: float
    information: Float[np.ndarray, " steps"]
    performance: Float[np.ndarray, " steps"]
    revealed: Float[np.ndarray, " steps"]
    skipped: str = ""


@dataclass(frozen=True, eq=False)
class DatasetCurve:
    """Pointwise median of the curves of `images` images, its `area`, and the images left out.

    The area is that of the median curve, not a mean of areas. `skipped` are the reasons with their
    counts, and `skip_rate` their share of all images: areas of two maps compare only over the same
    images.
    """

    values: CurveValues
    area: float
    images: int
    skipped: tuple[tuple[str, int], ...]
    skip_rate: float


def information_curve(
    information: Numbers,
    performance: Numbers,
    *,
    revealed: np.ndarray | None = None,
    least: float | int = 0.8,
    monotone: bool = True,
) -> InformationCurve:
    r"""Curve of performance against information, from the values of one image's steps.

    The first step is the image without what the map reveals, with I_0 and P_0; the last one the
    image itself, with I and P; between them stand the steps in the order of the thresholds. The
    curve is linear from (0, 0) through $x_t = (I_t - I_0) / (I - I_0)$, $y_t = (P_t - P_0) / (P -
    P_0)$, each clipped to [0, 1], to (1, 1), the steps sorted by x; of those with one x the last
    counts. With `monotone`, y_t is the greatest so far. Skipped: P < `least`, I_0 >= I, P_0 >= P.
    """
    least = check_value("least", least, SHARE)
    monotone = check_value("monotone", monotone, FLAG)
    sizes, values = np.asarray(information, float), np.asarray(performance, float)
    revealed = np.full(len(sizes) - 2, np.nan) if revealed is None else revealed
    if reason := skip_reason(sizes, values, least):
        return skipped_curve(reason, revealed)
    x, y = (np.clip((v[1:-1] - v[0]) / (v[-1] - v[0]), 0, 1) for v in (sizes, values))
    y = np.maximum.accumulate(y) if monotone else y
    ends = np.array([0.0, 1.0])
    order = np.argsort(np.append(x, ends), kind="stable")
    sampled = np.interp(POINTS, np.append(x, ends)[order], np.append(y, ends)[order])
    return InformationCurve(sampled, float(np.trapezoid(sampled, POINTS)), x, y, revealed)


def skip_reason(sizes: np.ndarray, values: np.ndarray, least: float) -> str:
    """Return why an image has no curve, "" if it has one; only the first and last step count."""
    if not values[-1] >= least:
        return "the image's performance is below the least"
    if sizes[0] >= sizes[-1]:
        return "the blurred image has no less information"
    if not values[0] < values[-1]:
        return "the blurred image has no lower performance"
    return ""


def skipped_curve(reason: str, revealed: np.ndarray) -> InformationCurve:
    """Return the undefined curve of a skipped image."""
    undefined = np.full(len(revealed), np.nan)
    values = np.full(len(POINTS), np.nan)
    return InformationCurve(values, float("nan"), undefined, undefined, revealed, reason)


def median_curve(curves: Sequence[InformationCurve], *, statistic: str = "median") -> DatasetCurve:
    """Curve of a data set: the pointwise median of its images' curves, or their "mean".

    NaN if all images were skipped. Raises `InputError` for no curves at all.
    """
    if not curves or statistic not in ("median", "mean"):
        raise InputError(f"{len(curves)} curves, {statistic!r}: give curves, and median or mean")
    defined = [c.values for c in curves if not c.skipped]
    reduce = np.median if statistic == "median" else np.mean
    values = reduce(defined, axis=0) if defined else np.full(len(POINTS), np.nan)
    reasons = [c.skipped for c in curves if c.skipped]
    counts = tuple((r, reasons.count(r)) for r in sorted(set(reasons)))
    area = float(np.trapezoid(values, POINTS))
    return DatasetCurve(values, area, len(defined), counts, len(reasons) / len(curves))
