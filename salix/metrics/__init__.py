"""Metrics: plain functions of one map, or of two, that return one number.

What is undefined is NaN, never a guess; what cannot be used raises `InputError`.
"""

from salix.metrics.curves import Curve, deletion, insertion
from salix.metrics.entropy import histogram_entropy, spatial_entropy
from salix.metrics.localisation import iou, pointing_game
from salix.metrics.relevance import relevance_mass
from salix.metrics.scaling import scale, to_8_bit
from salix.metrics.similarity import mae, pearson, spearman
from salix.metrics.sparseness import gini
from salix.metrics.structure import ssim

__all__ = [
    "Curve",
    "deletion",
    "gini",
    "histogram_entropy",
    "insertion",
    "iou",
    "mae",
    "pearson",
    "pointing_game",
    "relevance_mass",
    "scale",
    "spatial_entropy",
    "spearman",
    "ssim",
    "to_8_bit",
]
