"""Localisation: how much of a map lies inside a reference mask."""

from salix.metrics.info import MetricInfo
from salix.metrics.localisation.mass import relevance_mass
from salix.metrics.localisation.overlap import THRESHOLD, iou
from salix.metrics.localisation.pointing import pointing_game

__all__ = ["METRICS", "iou", "pointing_game", "relevance_mass"]

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
}  # fmt: skip
