"""Faithfulness: whether the score depends on the pixels that a map marks."""

from salix.metrics.faithfulness import attack_catalogue, catalogue, masked_catalogue
from salix.metrics.faithfulness.attacked_segments import region_attack
from salix.metrics.faithfulness.curves import Curve, deletion, insertion
from salix.metrics.faithfulness.debiased_removal import road
from salix.metrics.faithfulness.expected_change import monotonicity_correlation
from salix.metrics.faithfulness.information import (
    DatasetCurve,
    InformationCurve,
    information_curve,
    median_curve,
)
from salix.metrics.faithfulness.masked_images import adcc, average_drop, increase
from salix.metrics.faithfulness.patch_selectivity import selectivity
from salix.metrics.faithfulness.perturbation_infidelity import infidelity
from salix.metrics.faithfulness.pic import information_curves, random_pixels
from salix.metrics.faithfulness.relevance_order import abpc, aopc, lerf, morf
from salix.metrics.faithfulness.revealing import monotonicity
from salix.metrics.faithfulness.scattered import interpolate_pixels
from salix.metrics.faithfulness.segment_removal import irof
from salix.metrics.faithfulness.single_removal import faithfulness_estimate
from salix.metrics.faithfulness.subset_correlation import (
    faithfulness_correlation,
    mu_fidelity,
    sensitivity_n,
)
from salix.metrics.info import MetricInfo

__all__ = [
    "METRICS",
    "Curve",
    "DatasetCurve",
    "InformationCurve",
    "abpc",
    "adcc",
    "aopc",
    "average_drop",
    "deletion",
    "faithfulness_correlation",
    "faithfulness_estimate",
    "increase",
    "infidelity",
    "information_curve",
    "information_curves",
    "insertion",
    "interpolate_pixels",
    "irof",
    "lerf",
    "median_curve",
    "monotonicity",
    "monotonicity_correlation",
    "morf",
    "mu_fidelity",
    "random_pixels",
    "region_attack",
    "road",
    "selectivity",
    "sensitivity_n",
]

METRICS: dict[str, MetricInfo] = (
    catalogue.METRICS | masked_catalogue.METRICS | attack_catalogue.METRICS
)
