"""Metrics: plain functions of one map, or of two, that return one number.

What is undefined is NaN, never a guess; what cannot be used raises `InputError`.
"""

from salix.metrics.agreement import mae, pearson, spearman
from salix.metrics.curves import Curve, deletion, insertion
from salix.metrics.entropy import histogram_entropy, spatial_entropy
from salix.metrics.gini import gini
from salix.metrics.inside import inside
from salix.metrics.localisation import iou, pointing_game
from salix.metrics.scale import scale, to_8_bit
from salix.metrics.ssim import ssim

__all__ = [
    "Curve",
    "deletion",
    "gini",
    "histogram_entropy",
    "insertion",
    "inside",
    "iou",
    "mae",
    "pearson",
    "pointing_game",
    "scale",
    "spatial_entropy",
    "spearman",
    "ssim",
    "to_8_bit",
]
