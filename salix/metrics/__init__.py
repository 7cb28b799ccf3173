"""Metrics: plain functions of a map, of two maps, of (explain, image, key), or of (score, image,
map, key).

Undefined values are NaN; unusable input raises `InputError`. `METRICS` describes each by name,
`DATASET_METRICS` the functions of the maps and predictions of a whole data set.
"""

from salix.hyperparameters import WINDOW
from salix.metrics import axioms, complexity, faithfulness, localisation, randomisation, robustness
from salix.metrics.axioms import (
    completeness,
    implementation_invariance,
    input_invariance,
    non_sensitivity,
)
from salix.metrics.comparison import Similarity
from salix.metrics.complexity import (
    effective_complexity,
    gini,
    histogram_entropy,
    spatial_entropy,
    total_variation,
)
from salix.metrics.faithfulness import (
    Curve,
    DatasetCurve,
    InformationCurve,
    abpc,
    adcc,
    aopc,
    average_drop,
    deletion,
    faithfulness_correlation,
    faithfulness_estimate,
    increase,
    infidelity,
    information_curve,
    information_curves,
    insertion,
    interpolate_pixels,
    irof,
    lerf,
    median_curve,
    monotonicity,
    monotonicity_correlation,
    morf,
    mu_fidelity,
    random_pixels,
    region_attack,
    road,
    selectivity,
    sensitivity_n,
)
from salix.metrics.info import MetricInfo
from salix.metrics.localisation import (
    attribution_localisation,
    focus,
    iou,
    localisation_auc,
    mosaic,
    pointing_game,
    relevance_mass,
    relevance_rank,
    top_k_intersection,
)
from salix.metrics.normalisation import scale, to_8_bit
from salix.metrics.randomisation import (
    efficient_mprt,
    mprt,
    random_logit,
    smooth_mprt,
)
from salix.metrics.robustness import (
    DATASET_METRICS,
    SharedExplanation,
    avg_sensitivity,
    consistency,
    continuity,
    local_lipschitz,
    max_sensitivity,
    relative_input_stability,
    relative_output_stability,
    relative_representation_stability,
    sufficiency,
)
from salix.metrics.similarity import DATA_RANGE, mae, pearson, spearman, ssim

__all__ = [
    "DATASET_METRICS",
    "METRICS",
    "Curve",
    "DatasetCurve",
    "InformationCurve",
    "MetricInfo",
    "SharedExplanation",
    "Similarity",
    "abpc",
    "adcc",
    "aopc",
    "attribution_localisation",
    "average_drop",
    "avg_sensitivity",
    "completeness",
    "consistency",
    "continuity",
    "deletion",
    "effective_complexity",
    "efficient_mprt",
    "faithfulness_correlation",
    "faithfulness_estimate",
    "focus",
    "gini",
    "histogram_entropy",
    "implementation_invariance",
    "increase",
    "infidelity",
    "information_curve",
    "information_curves",
    "input_invariance",
    "insertion",
    "interpolate_pixels",
    "iou",
    "irof",
    "lerf",
    "local_lipschitz",
    "localisation_auc",
    "mae",
    "max_sensitivity",
    "median_curve",
    "monotonicity",
    "monotonicity_correlation",
    "morf",
    "mosaic",
    "mprt",
    "mu_fidelity",
    "non_sensitivity",
    "pearson",
    "pointing_game",
    "random_logit",
    "random_pixels",
    "region_attack",
    "relative_input_stability",
    "relative_output_stability",
    "relative_representation_stability",
    "relevance_mass",
    "relevance_rank",
    "road",
    "scale",
    "selectivity",
    "sensitivity_n",
    "smooth_mprt",
    "spatial_entropy",
    "spearman",
    "ssim",
    "sufficiency",
    "to_8_bit",
    "top_k_intersection",
    "total_variation",
]

_SIMILARITY: dict[str, MetricInfo] = {
    "mae": MetricInfo(
        mae, "Mean absolute difference", "mean over the pixels", 0, 1, "lower", group="similarity"
    ),
    "pearson": MetricInfo(
        pearson, "Pearson correlation", "over the pixels", -1, 1, "higher", group="similarity"
    ),
    "spearman": MetricInfo(
        spearman, "Spearman correlation", "Spearman, 1904, doi:10.2307/1412159", -1, 1, "higher",
        group="similarity",
    ),
    "ssim": MetricInfo(
        ssim, "Structural similarity", "Wang et al., 2004, doi:10.1109/TIP.2003.819861",
        -1, 1, "higher", (("window", WINDOW), ("data_range", DATA_RANGE)), group="similarity",
    ),
}  # fmt: skip

METRICS: dict[str, MetricInfo] = {
    **complexity.METRICS,
    **_SIMILARITY,
    **localisation.METRICS,
    **faithfulness.METRICS,
    **robustness.METRICS,
    **randomisation.METRICS,
    **axioms.METRICS,
}
