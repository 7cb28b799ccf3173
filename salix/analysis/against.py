"""What one run shows of a collection of images, by itself and against the in-set ones."""

from dataclasses import dataclass, field

from salix.analysis.subsets import Key, Part, area, join
from salix.stats import (
    DistributionShift,
    Interval,
    MeanMapShift,
    difference_interval,
    mean_difference,
)

ALL = object()  # every class, images without one included
Kind = str | None | object
Chosen = tuple[tuple[str, ...], Kind]


@dataclass(frozen=True)
class View:
    """The parts of one run, and what was joined of them so far."""

    classes: tuple[str, ...]
    parts: dict[Key, Part]
    inside: tuple[str, ...]
    joined: dict[Chosen, Part | None] = field(default_factory=dict, repr=False)
    areas: dict[Chosen, Interval | None] = field(default_factory=dict, repr=False)

    def pick(self, names: tuple[str, ...], kind: Kind) -> Part | None:
        """Join the images of some collections that are of one class, or of all."""
        if (names, kind) not in self.joined:
            of = (c for c in self.parts if c[0] in names and (kind is ALL or c[1] == kind))
            self.joined[names, kind] = join(self.parts[c] for c in of)
        return self.joined[names, kind]

    def auc(self, names: tuple[str, ...], kind: Kind) -> Interval | None:
        """Return the AUC within some collections, or of one class against the in-set other."""
        if (names, kind) not in self.areas:
            self.areas[names, kind] = self._area(names, kind)
        return self.areas[names, kind]

    def _area(self, names: tuple[str, ...], kind: Kind) -> Interval | None:
        if len(self.classes) != 2:
            return None
        zero, one = self.classes
        if kind is ALL:
            return area(self.pick(names, one), self.pick(names, zero))
        if kind not in self.classes:
            return None
        given = self.pick(names, kind)
        if kind == one:
            return area(given, self.pick(self.inside, zero))
        return area(self.pick(self.inside, one), given)

    def numbers(self, names: tuple[str, ...], kind: Kind) -> dict[str, Interval]:
        """Return the numbers of some images, those that are defined."""
        part = self.pick(names, kind)
        if part is None:
            return {}
        found = {"spatial_entropy": part.spatial.mean, "histogram_entropy": part.histogram.mean}
        found |= {"constant_map": part.constant_map_share}
        if part.labelled:
            found["accuracy"] = part.accuracy
        auc = self.auc(names, kind)
        return found if auc is None else found | {"auc": auc}

    def shifts(self, names: tuple[str, ...], kind: Kind) -> dict[str, Interval]:
        """Return how far some images are from the in-set ones: of their class, or from all."""
        part, base = self.pick(names, kind), self.pick(self.inside, ALL if kind is None else kind)
        if part is None or base is None:
            return {}
        found = {
            "spatial_entropy": mean_difference(part.spatial, base.spatial),
            "histogram_entropy": mean_difference(part.histogram, base.histogram),
            "lead": mean_difference(part.lead, base.lead),
            "constant_map": difference_interval(part.constant_map_share, base.constant_map_share),
        }
        if part.labelled and base.labelled:
            found["accuracy"] = difference_interval(part.accuracy, base.accuracy)
        auc, own = self.auc(names, kind), self.auc(self.inside, ALL)
        if auc is not None and own is not None:
            found["auc"] = difference_interval(auc, own)
        pair, maps = (
            DistributionShift.of(part.spatial, base.spatial),
            MeanMapShift.of(part.maps, base.maps),
        )
        return found | {
            "kolmogorov": pair.kolmogorov(),
            "wasserstein": pair.wasserstein(),
            "detector": pair.auc(),
            "map_distance": maps.distance(),
            "map_correlation": maps.correlation(),
        }
