"""Subsets of the images of one run: counts, samples, mean maps and shifts from the in-set ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from types import MappingProxyType

from salix.stats import (
    DistributionShift,
    Interval,
    MeanMap,
    MeanMapShift,
    Sample,
    difference_interval,
    mean_difference,
)

ALL_CLASSES = object()  # unlabelled images included
ClassChoice = str | None | object  # a class, None for images without a label, or all
SubsetKey = tuple[str, str | None]  # subset, class


@dataclass(frozen=True)
class Subset:
    """Counts, sorted samples of numbers and the mean map of some images of one run.

    `samples` are of the columns that are compared, and `log_odds` of the last class; `hits` is
    None where the run has no predictions, `maps` where it has none of this grid. `flags` are of the
    `accuracy` of the labelled images, and of the `constant_map` of all.
    """

    images: int
    labelled: int
    hits: int | None
    constant_map: int
    samples: Mapping[str, Sample]
    maps: MeanMap | None
    flags: Mapping[str, Sample]

    def merge(self, other: "Subset") -> "Subset":
        """Return the images of both."""
        unknown = self.hits is None or other.hits is None
        return Subset(
            self.images + other.images,
            self.labelled + other.labelled,
            None if unknown else (self.hits or 0) + (other.hits or 0),
            self.constant_map + other.constant_map,
            MappingProxyType({n: s.merge(other.samples[n]) for n, s in self.samples.items()}),
            self.maps.merge(other.maps) if self.maps and other.maps else None,
            MappingProxyType({n: s.merge(other.flags[n]) for n, s in self.flags.items()}),
        )

    @property
    def accuracy(self) -> Interval:
        """Share of the labelled images that were classified rightly."""
        return self.flags["accuracy"].share

    @property
    def constant_map_share(self) -> Interval:
        """Share of maps without contrast."""
        return self.flags["constant_map"].share


def subset_auc(one: Subset | None, zero: Subset | None) -> Interval | None:
    """Return the AUC of the images of class 1 against those of class 0."""
    if one is None or zero is None:
        return None
    return DistributionShift.of(one.samples["log_odds"], zero.samples["log_odds"]).auc()


@dataclass(frozen=True, eq=False)
class RunSubsets:
    """All subsets of one run, by name and class; others are compared with those of `in_set`."""

    classes: tuple[str, ...]
    subsets: Mapping[SubsetKey, Subset]
    in_set: tuple[str, ...]

    @cached_property
    def pick(self) -> Callable[[tuple[str, ...], ClassChoice], Subset | None]:
        """Join the images of some subsets that are of one class, or of all; None for no image."""
        return cache(self._join)

    @cached_property
    def auc(self) -> Callable[[tuple[str, ...], ClassChoice], Interval | None]:
        """Return the AUC within some subsets, or of one class against the in-set other."""
        return cache(self._auc)

    def _join(self, names: tuple[str, ...], chosen: ClassChoice) -> Subset | None:
        joined = [
            subset
            for (name, kind), subset in self.subsets.items()
            if name in names and (chosen is ALL_CLASSES or kind == chosen)
        ]
        return reduce(Subset.merge, joined) if joined else None

    def _auc(self, names: tuple[str, ...], chosen: ClassChoice) -> Interval | None:
        if len(self.classes) != 2 or any(
            "log_odds" not in s.samples for s in self.subsets.values()
        ):
            return None
        zero, one = self.classes
        if chosen is ALL_CLASSES:
            return subset_auc(self.pick(names, one), self.pick(names, zero))
        if chosen not in self.classes:
            return None
        subset = self.pick(names, chosen)
        if chosen == one:
            return subset_auc(subset, self.pick(self.in_set, zero))
        return subset_auc(self.pick(self.in_set, one), subset)

    def numbers(self, names: tuple[str, ...], chosen: ClassChoice) -> dict[str, Interval]:
        """Return the numbers of some images, those that are defined."""
        subset = self.pick(names, chosen)
        if subset is None:
            return {}
        numbers = {n: s.mean for n, s in subset.samples.items() if n != "log_odds"}
        if subset.maps is not None:
            numbers["constant_map"] = subset.constant_map_share
        if subset.labelled and subset.hits is not None:
            numbers["accuracy"] = subset.accuracy
        auc = self.auc(names, chosen)
        return numbers if auc is None else numbers | {"auc": auc}

    def shifts(self, names: tuple[str, ...], chosen: ClassChoice) -> dict[str, Interval]:
        """Return the shifts of some images from the in-set ones: of their class, or from all."""
        kind = ALL_CLASSES if chosen is None else chosen
        subset, base = self.pick(names, chosen), self.pick(self.in_set, kind)
        if subset is None or base is None:
            return {}
        shifts = {n: mean_difference(s, base.samples[n]) for n, s in subset.samples.items()}
        if subset.labelled and base.labelled and subset.hits is not None:
            shifts["accuracy"] = difference_interval(subset.accuracy, base.accuracy)
        auc, in_set_auc = self.auc(names, chosen), self.auc(self.in_set, ALL_CLASSES)
        if auc is not None and in_set_auc is not None:
            shifts["auc"] = difference_interval(auc, in_set_auc)
        if first := next((n for n in subset.samples if n != "log_odds"), ""):
            pair = DistributionShift.of(subset.samples[first], base.samples[first])
            shifts |= {
                "kolmogorov": pair.kolmogorov(),
                "wasserstein": pair.wasserstein(),
                "detector": pair.auc(),
            }
        if subset.maps is not None and base.maps is not None:
            maps = MeanMapShift.of(subset.maps, base.maps)
            shares = (subset.constant_map_share, base.constant_map_share)
            shifts["constant_map"] = difference_interval(*shares)
            shifts |= {"map_distance": maps.distance(), "map_correlation": maps.correlation()}
        return shifts
