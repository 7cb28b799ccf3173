"""Numbers of many images and runs: means, shares and areas with intervals, comparisons, effects."""

from salix.stats.auc import auc_difference
from salix.stats.bootstrap import bootstrap_mean, bootstrap_pairs, difference_of_groups
from salix.stats.compare import Comparison, compare_groups
from salix.stats.effect_size import cliffs_delta, hedges_g, paired_delta
from salix.stats.error_rates import ACER_GRID, FDR_LEVELS, Acer, acer, detection_rate
from salix.stats.interval import (
    Interval,
    auc_interval,
    difference_interval,
    mean_interval,
    share_interval,
)
from salix.stats.permutation import holm, least_p, max_t, permutation_test, sign_flip_test

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
