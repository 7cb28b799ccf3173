"""Metrics: plain functions of one map, of two maps, or of (score, image, map, key).

Undefined values are NaN; unusable input raises `InputError`. `METRICS` describes each by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from salix.hyperparameters import FLAG, WINDOW, Hyperparameter, choice, integer
from salix.metrics.comparison import Similarity
from salix.metrics.complexity import gini, histogram_entropy, spatial_entropy
from salix.metrics.curves import BLACK, Curve, deletion, insertion
from salix.metrics.information import (
    DatasetCurve,
    InformationCurve,
    information_curve,
    median_curve,
)
from salix.metrics.localisation import THRESHOLD, iou, pointing_game, relevance_mass
from salix.metrics.normalisation import scale, to_8_bit
from salix.metrics.pic import information_curves, random_pixels
from salix.metrics.ranking import ORDERS, RISING
from salix.metrics.scattered import interpolate_pixels
from salix.metrics.similarity import DATA_RANGE, mae, pearson, spearman, ssim
from salix.perturb.fills import FILLS

__all__ = [
    "METRICS",
    "Curve",
    "DatasetCurve",
    "InformationCurve",
    "MetricInfo",
    "Similarity",
    "deletion",
    "gini",
    "histogram_entropy",
    "information_curve",
    "information_curves",
    "insertion",
    "interpolate_pixels",
    "iou",
    "mae",
    "median_curve",
    "pearson",
    "pointing_game",
    "random_pixels",
    "relevance_mass",
    "scale",
    "spatial_entropy",
    "spearman",
    "ssim",
    "to_8_bit",
]


@dataclass(frozen=True)
class MetricInfo:
    """A metric, its title and source, range (None: unbounded), better direction and options.

    The range and direction of a metric of two maps are those of a map and a reference mask, those
    of a curve are for a score in [0, 1] and the most salient pixels first.
    """

    function: Callable[..., Any]
    title: str
    source: str
    low: float | None
    high: float | None
    direction: Literal["higher", "lower", ""] = ""
    options: tuple[tuple[str, Hyperparameter], ...] = ()


_NORMALISE = (("normalise", FLAG),)
_CURVE = (
    ("fractions", RISING),
    ("fill", choice(FILLS)),
    ("order", choice(ORDERS)),
    ("black", BLACK),
    ("chunk", integer(1)),
)

METRICS: dict[str, MetricInfo] = {
    "histogram_entropy": MetricInfo(
        histogram_entropy, "Histogram entropy", "Crum et al., 2023, arXiv:2303.11969", 0, 1,
        options=_NORMALISE,
    ),
    "spatial_entropy": MetricInfo(
        spatial_entropy, "Spatial entropy", "Bhatt et al., 2020, arXiv:2005.00631", 0, 1,
        options=_NORMALISE,
    ),
    "gini": MetricInfo(gini, "Gini coefficient", "Hurley and Rickard, 2009, arXiv:0811.4706", 0, 1),
    "mae": MetricInfo(mae, "Mean absolute difference", "mean over the pixels", 0, 1, "lower"),
    "pearson": MetricInfo(pearson, "Pearson correlation", "over the pixels", -1, 1, "higher"),
    "spearman": MetricInfo(
        spearman, "Spearman correlation", "Spearman, 1904, doi:10.2307/1412159", -1, 1, "higher"
    ),
    "ssim": MetricInfo(
        ssim, "Structural similarity", "Wang et al., 2004, doi:10.1109/TIP.2003.819861",
        -1, 1, "higher", (("window", WINDOW), ("data_range", DATA_RANGE)),
    ),
    "iou": MetricInfo(
        iou, "Intersection over union", "Everingham et al., 2010, doi:10.1007/s11263-009-0275-4",
        0, 1, "higher", (("threshold", THRESHOLD),),
    ),
    "pointing_game": MetricInfo(
        pointing_game, "Pointing game", "Zhang et al., 2018, doi:10.1007/s11263-017-1059-x",
        0, 1, "higher",
    ),
    "relevance_mass": MetricInfo(
        relevance_mass, "Relevance mass", "Arras et al., 2022, arXiv:2003.07258", 0, 1, "higher"
    ),
    "deletion": MetricInfo(
        deletion, "Deletion", "Petsiuk et al., 2018, arXiv:1806.07421", 0, 1, "lower", _CURVE
    ),
    "insertion": MetricInfo(
        insertion, "Insertion", "Petsiuk et al., 2018, arXiv:1806.07421", 0, 1, "higher", _CURVE
    ),
}  # fmt: skip
