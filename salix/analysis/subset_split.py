"""Division of the images of a run into subsets by the sources in their ids, and by class.

A subset is named by the first part of its images' ids, the folder or source that they come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from salix.analysis.frame import Frame
from salix.analysis.mean_maps import maps_by_code
from salix.analysis.subsets import Subset, SubsetKey
from salix.stats import MeanMap, Sample


def subset_names(ids: Iterable[str]) -> list[str]:
    """Return the first part of each id, which names its source; an id of one part has none."""
    return [head if slash else "" for head, slash, _ in (str(i).partition("/") for i in ids)]


def log_odds(logits: np.ndarray) -> np.ndarray:
    r"""Return the log odds of the last class, $z_k - \log \sum_{j < k} e^{z_j}$, of each image."""
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1:
        return logits[:, 0]
    with np.errstate(invalid="ignore"):  # of infinite logits: NaN, which is then counted
        return logits[:, -1] - special.logsumexp(logits[:, :-1], axis=1)


@dataclass(frozen=True, eq=False)
class SubsetIndex:
    """Names of subsets, in the order in which images name them, and the subset of each image."""

    names: tuple[str, ...]
    index: np.ndarray


def index_subsets(frames: Sequence[Frame]) -> list[SubsetIndex]:
    """Return the subset of each image of each run."""
    indices: list[SubsetIndex] = []
    previous = None
    for frame in frames:
        if previous is not None and np.array_equal(frame.ids, previous):
            indices.append(indices[-1])  # runs mostly share their images
            continue
        previous, listed = frame.ids, subset_names(frame.ids)
        places = {name: i for i, name in enumerate(dict.fromkeys(listed))}
        indices.append(SubsetIndex(tuple(places), np.array([places[n] for n in listed], int)))
    return indices


def split_subsets(
    frame: Frame, subsets: SubsetIndex, *, columns: Sequence[str]
) -> dict[SubsetKey, Subset]:
    """Split a run by subset and class, both in their order, with samples of `columns`."""
    k = len(frame.classes) + 1
    code = subsets.index * k + frame.labels + 1
    present, group = np.unique(code, return_inverse=True)
    values = {n: frame.scalars[n] for n in columns if n in frame.scalars}
    if frame.has("logits"):
        parts = [log_odds(part["logits"]) for part in frame.run.iterate(["logits"])]
        values["log_odds"] = np.concatenate([np.zeros(0), *parts])
    hits = None if frame.predicted is None else frame.predicted == frame.labels
    maps: list[Any] = [None] * len(present)  # `MeanMap`s, where there are maps
    if frame.has("map"):
        maps = [MeanMap.empty(frame.run.columns["map"].shape)] * len(present)
        for i, part, codes in maps_by_code(frame, group):
            maps[i] = maps[i].merge(MeanMap.of(part, first=maps[i].n, clusters=codes))

    def sample(column: np.ndarray, images: np.ndarray) -> Sample:
        clusters = None if frame.clusters is None else frame.clusters[images]
        return Sample.of(column[images], clusters=clusters)

    split: dict[SubsetKey, Subset] = {}
    classes = (None, *frame.classes)
    order = np.argsort(code, kind="stable")
    bounds = np.searchsorted(code[order], [*present, np.inf])
    for i, c in enumerate(present):
        own = order[bounds[i] : bounds[i + 1]]
        place, label = divmod(int(c), k)
        split[subsets.names[place], classes[label]] = Subset(
            images=len(own),
            labelled=len(own) if label else 0,
            hits=None if hits is None else int(hits[own].sum()) if label else 0,
            constant_map=int(frame.constant_map[own].sum()),
            samples=MappingProxyType({n: sample(v, own) for n, v in values.items()}),
            maps=maps[i],
            flags=MappingProxyType(
                {
                    "accuracy": Sample.empty() if hits is None or not label else sample(hits, own),
                    "constant_map": sample(frame.constant_map, own),
                }
            ),
        )
    return split
