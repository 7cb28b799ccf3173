"""Numbers of many images brought down to one, with how sure it is."""

from salix.reduce.interval import (
    Interval,
    auc_interval,
    difference_interval,
    mean_interval,
    share_interval,
)

__all__ = [
    "Interval",
    "auc_interval",
    "difference_interval",
    "mean_interval",
    "share_interval",
]
