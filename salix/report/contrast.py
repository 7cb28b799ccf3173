"""Whether two groups of runs differ in a number, and on what evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from salix.reduce import Interval, difference_interval
from salix.report.tables import Group

RARE = 0.1  # an order of the runs that chance gives more often than this says nothing


@dataclass(frozen=True)
class Contrast:
    """The two groups furthest apart in a number; `clear` if that is more than chance."""

    key: str
    high: Group
    low: Group
    difference: Interval
    clear: bool
    why: str


def contrast(groups: Sequence[Group], key: str) -> Contrast | None:
    """Compare the groups of the greatest and the least mean; None where fewer than two have one.

    With two or more runs each, they differ clearly if the interval over runs of their difference
    leaves out 0; or if every run of one lies above every run of the other, which chance does
    $2 / \\binom{a + b}{a}$ of the time, that is at most `RARE`, and the images leave no doubt about
    these runs. A group of one run can only be compared over the images, as the model that it is.
    """
    found = [g for g in groups if np.isfinite(g.shown(key).value)]
    if len(found) < 2:
        return None
    found.sort(key=lambda g: -g.shown(key).value)
    high, low = found[0], found[-1]
    over_images = difference_interval(high.over_images(key), low.over_images(key))
    if key == "agreement":
        over_pairs = difference_interval(high.shown(key), low.shown(key))
        return Contrast(key, high, low, over_pairs, over_pairs.low > 0, "")
    a, b = high.values(key), low.values(key)
    if min(len(a), len(b)) < 2:
        why = "one run is no sample of its kind: this compares models, not ways of training"
        return Contrast(key, high, low, over_images, over_images.low > 0, why)
    over_runs = difference_interval(high.over_runs(key), low.over_runs(key))
    if over_runs.low > 0:
        return Contrast(key, high, low, over_runs, True, "")
    ways = comb(len(a) + len(b), len(a)) / 2
    apart = min(a) > max(b) and over_images.low > 0
    if apart and 1 / ways <= RARE:
        why = (
            f"each of the {len(a)} runs of {high.name} lies above each of the {len(b)} runs of "
            f"{low.name}, an order that chance alone gives 1 time in {ways:.0f}"
        )
        return Contrast(key, high, low, over_images, True, why)
    return Contrast(key, high, low, over_runs, False, "")
