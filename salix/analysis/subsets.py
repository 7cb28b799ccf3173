"""A run cut into its collections of images and their classes, ready to be joined again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy import special

from salix.analysis import frame
from salix.stats import DistributionShift, Interval, MeanMap, Sample, proportion_interval
from salix.store import Run

Key = tuple[str, str | None]  # collection, class


@dataclass(frozen=True)
class Part:
    """Counts, sorted numbers and the mean map of some images of one run."""

    images: int
    labelled: int
    hits: int
    constant_map: int
    spatial: Sample
    histogram: Sample
    lead: Sample
    maps: MeanMap

    def merge(self, other: "Part") -> "Part":
        """Return both as one."""
        counts = ("images", "labelled", "hits", "constant_map")
        merged = ("spatial", "histogram", "lead", "maps")
        return Part(
            *(getattr(self, n) + getattr(other, n) for n in counts),
            *(getattr(self, n).merge(getattr(other, n)) for n in merged),
        )

    @property
    def accuracy(self) -> Interval:
        """Share of the labelled images that were classified rightly."""
        return proportion_interval(self.hits, self.labelled)

    @property
    def constant_map_share(self) -> Interval:
        """Share of maps without contrast."""
        return proportion_interval(self.constant_map, self.images)


def join(parts: Iterable[Part]) -> Part | None:
    """Return all parts as one, None for none."""
    held = list(parts)
    return reduce(Part.merge, held) if held else None


def area(one: Part | None, zero: Part | None) -> Interval | None:
    """Return the AUC of the images of class 1 against those of class 0."""
    return None if one is None or zero is None else DistributionShift.of(one.lead, zero.lead).auc()


def collection_names(ids: np.ndarray) -> list[str]:
    """Return the first part of each id, which names its source; an id of one part has none."""
    return [head if slash else "" for head, slash, _ in (str(i).partition("/") for i in ids)]


def lead(run: Run) -> np.ndarray:
    r"""Return the log odds of the last class, $z_k - \log \sum_{j < k} e^{z_j}$, of each image."""
    logits = frame.measured(run)["logits"].astype(np.float64)
    if logits.shape[1] == 1:
        return logits[:, 0]
    with np.errstate(invalid="ignore"):  # of infinite logits: NaN, which is then counted
        return logits[:, -1] - special.logsumexp(logits[:, :-1], axis=1)


@dataclass(frozen=True)
class Places:
    """Names of collections, in the order in which images name them, and the place of each image."""

    names: tuple[str, ...]
    of: np.ndarray


def places(runs: Sequence[Run]) -> list[Places]:
    """Tell the collection of each image of each run."""
    found: list[Places] = []
    ids = None
    for run in runs:
        own = frame.measured(run)["id"]
        if ids is not None and len(own) == len(ids) and (own == ids).all():
            found.append(found[-1])  # runs mostly share their images
            continue
        ids, listed = own, collection_names(own)
        place = {name: i for i, name in enumerate(dict.fromkeys(listed))}
        found.append(Places(tuple(place), np.array([place[name] for name in listed], int)))
    return found


def cut(run: Run, where: Places) -> dict[Key, Part]:
    """Cut a run by collection and class, both in their order."""
    columns, k = frame.measured(run), len(run.classes) + 1
    labels = columns["label"].astype(int)
    classes = (None, *run.classes)
    code = where.of * k + labels + 1
    order = np.argsort(code, kind="stable")
    ends = np.flatnonzero(np.diff(code[order], append=-1)) + 1
    starts = np.concatenate([np.zeros(1, int), ends])[: len(ends)]
    told = {n: columns[n] for n in ("spatial_entropy", "histogram_entropy", "map")}
    told |= {"hit": columns["predicted"] == labels, "lead": lead(run)}
    told["constant_map"] = columns["constant_map"].astype(bool)
    found: dict[Key, Part] = {}
    for start, end in zip(starts, ends, strict=True):
        of = order[start:end]
        place, label = divmod(int(code[of[0]]), k)
        constant_map = told["constant_map"][of]
        found[where.names[place], classes[label]] = Part(
            images=len(of),
            labelled=len(of) if label else 0,
            hits=int(told["hit"][of].sum()) if label else 0,
            constant_map=int(constant_map.sum()),
            spatial=Sample.of(told["spatial_entropy"][of]),
            histogram=Sample.of(told["histogram_entropy"][of]),
            lead=Sample.of(told["lead"][of]),
            maps=MeanMap.of(told["map"][of[~constant_map]]),
        )
    return found
