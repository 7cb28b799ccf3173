"""Difference of two groups of runs in one number, with its p-values and effect sizes."""

from dataclasses import dataclass
from typing import Literal

from salix.stats.interval import NAN, Interval
from salix.stats.permutation import minimum_p


@dataclass(frozen=True)
class GroupComparison:
    """Difference of group a and group b in the measure `key`, its p-values and effect sizes.

    `difference` is the mean of a less that of b over the `n_images` that have a value in every run
    of both; `difference.undefined` counts the other images. `p` is over `over` alone: the runs'
    labels permuted for these images, or the images' signs flipped for these runs. `p_both` is over
    runs and images (over images for one run against one), `p_adjusted` the one corrected within its
    family (`correct_family`). `run_values` are the runs' means of a and of b, empty where no test
    exchanges runs. `effect` is Hedges' g of the runs, NaN where a group has one run; `delta` is
    Cliff's, over the runs or images of `over`.
    """

    key: str
    a: str
    b: str
    difference: Interval
    p: float
    p_adjusted: float
    effect: Interval
    delta: Interval
    n_runs: tuple[int, int]
    n_images: int
    p_both: float = NAN
    run_values: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())

    @property
    def over(self) -> Literal["runs", "images"]:
        """The sample of `p`: runs, or other images for the same runs."""
        return "runs" if min(self.n_runs) > 1 else "images"

    @property
    def minimum_p(self) -> float:
        """Smallest `p` possible with these numbers of runs; 0 for tests over images."""
        return minimum_p(*self.n_runs) if self.over == "runs" else 0.0
