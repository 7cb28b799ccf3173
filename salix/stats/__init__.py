"""Intervals, tests, effect sizes and mergeable accumulators over images and runs."""

from salix.stats.area_comparison import compare_areas
from salix.stats.auc import auc_interval
from salix.stats.auc_groups import auc_difference, auc_group_difference, auc_group_interval
from salix.stats.banerjee import student_p
from salix.stats.bootstrap import bootstrap_difference, bootstrap_mean, bootstrap_pairwise_mean
from salix.stats.clusters import cluster_codes, cluster_count
from salix.stats.compare import compare_groups
from salix.stats.comparison import GroupComparison
from salix.stats.crossed import crossed_mean
from salix.stats.distribution_shift import DistributionShift
from salix.stats.effect_size import cliffs_delta, hedges_g, paired_delta
from salix.stats.error_rates import ACER_GRID, FDR_LEVELS, Acer, detection_rate, minimum_acer
from salix.stats.family import correct_family, least_p
from salix.stats.interval import (
    Interval,
    difference_interval,
    mean_interval,
    mean_of_intervals,
    proportion_interval,
    share_interval,
)
from salix.stats.joint_bootstrap import joint_limits, resampled_means
from salix.stats.joint_flips import flipped_means, joint_flip_p
from salix.stats.label_exchange import exchange_p
from salix.stats.mean_map import MeanMap, MeanMapShift
from salix.stats.permutation import (
    benjamini_hochberg,
    holm,
    max_t,
    minimum_p,
    permutation_test,
    sign_flip_test,
)
from salix.stats.ranks import (
    kendall_tau,
    kendall_w,
    rank_correlation,
    rank_methods,
    split_half_tau,
    unit_count,
)
from salix.stats.reliability import Calibration, calibration
from salix.stats.resampled_rates import FPR_LEVELS, RATES, detector_rates
from salix.stats.roc import det_coordinates, drawn_points, roc_points
from salix.stats.sample import Sample, mean_difference
from salix.stats.videos import VideoScores, design_effect, video_scores

__all__ = [
    "ACER_GRID",
    "FDR_LEVELS",
    "FPR_LEVELS",
    "RATES",
    "Acer",
    "Calibration",
    "DistributionShift",
    "GroupComparison",
    "Interval",
    "MeanMap",
    "MeanMapShift",
    "Sample",
    "VideoScores",
    "auc_difference",
    "auc_group_difference",
    "auc_group_interval",
    "auc_interval",
    "benjamini_hochberg",
    "bootstrap_difference",
    "bootstrap_mean",
    "bootstrap_pairwise_mean",
    "calibration",
    "cliffs_delta",
    "cluster_codes",
    "cluster_count",
    "compare_areas",
    "compare_groups",
    "correct_family",
    "crossed_mean",
    "design_effect",
    "det_coordinates",
    "detection_rate",
    "detector_rates",
    "difference_interval",
    "drawn_points",
    "exchange_p",
    "flipped_means",
    "hedges_g",
    "holm",
    "joint_flip_p",
    "joint_limits",
    "kendall_tau",
    "kendall_w",
    "least_p",
    "max_t",
    "mean_difference",
    "mean_interval",
    "mean_of_intervals",
    "minimum_acer",
    "minimum_p",
    "paired_delta",
    "permutation_test",
    "proportion_interval",
    "rank_correlation",
    "rank_methods",
    "resampled_means",
    "roc_points",
    "share_interval",
    "sign_flip_test",
    "split_half_tau",
    "student_p",
    "unit_count",
    "video_scores",
]
