"""Localisation: how much of a map lies inside a reference mask."""

from salix.metrics.info import MetricInfo
from salix.metrics.localisation.mass import relevance_mass
from salix.metrics.localisation.overlap import THRESHOLD, iou
from salix.metrics.localisation.pointing import pointing_game
from salix.metrics.localisation.positive_mass import (
    LARGEST,
    attribution_localisation,
    focus,
    mosaic,
)
from salix.metrics.localisation.ranking import localisation_auc
from salix.metrics.localisation.top_pixels import TOP, relevance_rank, top_k_intersection

__all__ = [
    "METRICS",
    "attribution_localisation",
    "focus",
    "iou",
    "localisation_auc",
    "mosaic",
    "pointing_game",
    "relevance_mass",
    "relevance_rank",
    "top_k_intersection",
]

_MASK = ("reference mask",)

METRICS: dict[str, MetricInfo] = {
    "iou": MetricInfo(
        iou, "Intersection over union", "Everingham et al., 2010, doi:10.1007/s11263-009-0275-4",
        0, 1, "higher", (("threshold", THRESHOLD),), group="localisation", needs=_MASK,
    ),
    "pointing_game": MetricInfo(
        pointing_game, "Pointing game", "Zhang et al., 2018, doi:10.1007/s11263-017-1059-x",
        0, 1, "higher", group="localisation", needs=_MASK,
    ),
    "relevance_mass": MetricInfo(
        relevance_mass, "Relevance mass", "Arras et al., 2022, arXiv:2003.07258", 0, 1, "higher",
        group="localisation", needs=_MASK,
    ),
    "relevance_rank": MetricInfo(
        relevance_rank, "Relevance rank", "Arras et al., 2022, arXiv:2003.07258", 0, 1, "higher",
        group="localisation", needs=_MASK,
    ),
    "top_k_intersection": MetricInfo(
        top_k_intersection, "Top-k intersection", "Theiner et al., 2022, arXiv:2104.14995",
        0, 1, "higher", (("k", TOP),), group="localisation", needs=_MASK,
    ),
    "localisation_auc": MetricInfo(
        localisation_auc, "Area under the ROC curve",
        "Fawcett, 2006, doi:10.1016/j.patrec.2005.10.010",
        0, 1, "higher", group="localisation", needs=_MASK,
    ),
    "attribution_localisation": MetricInfo(
        attribution_localisation, "Attribution localisation",
        "Kohlbrenner et al., 2020, arXiv:1910.09840",
        0, 1, "higher", (("largest", LARGEST),), group="localisation", needs=_MASK,
    ),
    "focus": MetricInfo(
        focus, "Focus", "Arias-Duart et al., 2022, arXiv:2109.15035", 0, 1, "higher",
        group="localisation", needs=_MASK,
    ),
}  # fmt: skip
