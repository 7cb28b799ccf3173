"""A detector on images as they are, and on copies of one coding and of one size."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from salix.analysis.agreement import eight_bit
from salix.analysis.frame import Frame, shared_clusters, shared_examples
from salix.analysis.map_similarity import similarities
from salix.audit.copies import Recoded
from salix.data import Source
from salix.stats import Interval, auc_difference, auc_interval, cluster_codes, holm, mean_interval
from salix.store import Run
from salix.typing import InputError

LEVEL = 0.05
SSIM_WINDOW = 7
# Sweeps a source into the folder of a name; targets of another run, or None.
SweepSource = Callable[[Source, str, Run | None], Run]


@dataclass(frozen=True)
class CopyComparison:
    """A detector on copies, against the images as they are, over the images that both have.

    `difference` is the area on the images as they are less that on the copies; positive values are
    what the detector loses. `ssim` and `spearman` compare the maps of either, image by image.
    """

    name: str
    text: str
    area: Interval
    difference: Interval
    p: float
    ssim: Interval
    spearman: Interval
    p_adjusted: float = float("nan")

    @property
    def alarming(self) -> bool:
        """Whether the detector loses, with a corrected p of at most 5 %."""
        return self.p_adjusted <= LEVEL and self.difference.low > 0


@dataclass(frozen=True)
class DetectorAudit:
    """The area of a detector on images as they are, and its comparisons with copies."""

    name: str
    area: Interval
    comparisons: tuple[CopyComparison, ...]


def audit_detector(
    sweep_source: SweepSource, source: Source, *, side: int, quality: int
) -> DetectorAudit:
    """Sweep a source and its copies, and compare areas and maps.

    Maps of copies explain the class that is predicted on the images as they are.
    """
    codec = Recoded(source, quality)
    size = Recoded(source, quality, side)
    coding = f"JPEG of quality {quality}, 4:2:0"
    original = sweep_source(source, "original", None)
    if len(original.classes) != 2:
        raise InputError(
            f"the model has {len(original.classes)} classes: the audit is of a detector of two"
        )
    copies = (
        ("codec", f"one coding: {coding}", sweep_source(codec, "codec", original)),
        ("size", f"one size, {side} x {side}, and {coding}", sweep_source(size, "size", original)),
    )
    frame = Frame(original)
    comparisons = [_compare(name, text, frame, Frame(run)) for name, text, run in copies]
    adjusted = holm([c.p for c in comparisons])
    margins, labels, clusters = _scores(frame)
    return DetectorAudit(
        original.name,
        auc_interval(margins, labels, clusters=clusters),
        tuple(replace(c, p_adjusted=float(p)) for c, p in zip(comparisons, adjusted, strict=True)),
    )


def _scores(
    frame: Frame, places: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return log odds of class 1, labels and clusters of the labelled images of a run."""
    chosen = np.arange(len(frame)) if places is None else places
    margins, labels = frame.margins[chosen], frame.labels[chosen]
    known = labels >= 0
    clusters = frame.clusters
    own = None if clusters is None else cluster_codes(clusters[chosen][known], int(known.sum()))
    return margins[known], labels[known], own


def _compare(name: str, text: str, original: Frame, copy: Frame) -> CopyComparison:
    frames = (original, copy)
    ids, places = shared_examples(frames)
    (before, labels, clusters), (after, _, _) = map(_scores, frames, places)
    difference, p = auc_difference(before, after, labels, clusters=clusters)
    ssim, spearman = _map_similarities(original.run, copy.run, ids)
    own = shared_clusters(frames, places)
    return CopyComparison(
        name,
        text,
        auc_interval(after, labels, clusters=clusters),
        difference,
        p,
        mean_interval(ssim, clusters=own),
        mean_interval(spearman, clusters=own),
    )


def _map_similarities(a: Run, b: Run, ids: Collection[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return SSIM and Spearman's correlation of the maps of each shared image, NaN if constant."""
    ssim, spearman = [np.zeros(0)], [np.zeros(0)]
    for maps in _paired_maps(a, b, frozenset(ids)):
        groups = [m[None] for m in maps]
        smallest = min(maps[0].shape[1:])
        values = [
            similarities(groups, [(0, 1)], kind, SSIM_WINDOW)[0][0]
            if kind == "spearman" or smallest > 2
            else np.full(len(maps[0]), np.nan)
            for kind in ("ssim", "spearman")
        ]
        ssim.append(values[0])
        spearman.append(values[1])
    return np.concatenate(ssim), np.concatenate(spearman)


def _paired_maps(
    a: Run, b: Run, shared: Collection[str]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield 8-bit maps of the images that both runs have, part by part, in the order of the data.

    Runs of one source have parts of the same images, but for the skipped ones: few maps wait.
    """
    names, waiting = ["id", "map"], {}
    others = b.iterate(names)
    for part in a.iterate(names):
        pairs = []
        for id, own in zip(part["id"], part["map"], strict=True):
            if id not in shared:
                continue
            while id not in waiting:
                more = next(others)
                pieces = zip(more["id"], more["map"], strict=True)
                waiting |= {i: m for i, m in pieces if i in shared}
            pairs.append((own, waiting.pop(id)))
        if pairs:
            first, second = zip(*pairs, strict=True)
            yield eight_bit(np.stack(first)), eight_bit(np.stack(second))
