"""Numbers of many images and runs: means, shares and areas with intervals, comparisons, effects."""

from salix.reduce.auc import auc_difference
from salix.reduce.bootstrap import bootstrap_mean, bootstrap_pairs, difference_of_groups
from salix.reduce.compare import Comparison, compare_groups
from salix.reduce.effect import cliffs_delta, hedges_g, paired_delta
from salix.reduce.interval import (
    Interval,
    auc_interval,
    difference_interval,
    mean_interval,
    share_interval,
)
from salix.reduce.permutation import holm, least_p, max_t, permutation_test, sign_flip_test
from salix.reduce.rates import ACER_GRID, FDR_LEVELS, Acer, acer, detection_rate

__all__ = [
    "ACER_GRID",
    "FDR_LEVELS",
    "Acer",
    "Comparison",
    "Interval",
    "acer",
    "auc_difference",
    "auc_interval",
    "bootstrap_mean",
    "bootstrap_pairs",
    "cliffs_delta",
    "compare_groups",
    "detection_rate",
    "difference_interval",
    "difference_of_groups",
    "hedges_g",
    "holm",
    "least_p",
    "max_t",
    "mean_interval",
    "paired_delta",
    "permutation_test",
    "share_interval",
    "sign_flip_test",
]
