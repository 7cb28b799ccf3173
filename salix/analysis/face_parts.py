"""Shares of maps on the parts of a face, by group of runs and generator.

The parts are those of an upright, centred crop, the same for every image (`FaceParts`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.columns import TableColumn
from salix.analysis.frame import Frame, shared_examples
from salix.analysis.generators import GeneratorRule, Generators, find_generators
from salix.analysis.mean_maps import mean_over_runs
from salix.analysis.part_shares import part_shares, part_weights
from salix.analysis.shifts import within_range
from salix.perturb.face_parts import FaceParts
from salix.stats import Interval, crossed_mean, mean_interval, mean_of_intervals

SHARE = TableColumn("mass_share", "Share of the map", "", 0.0, 1.0, True)


@dataclass(frozen=True, eq=False)
class PartShares:
    """Share of the mass of maps on each part, of the runs of one group over one generator.

    `shares` [part] are over images or groups of images, of several runs over runs and images.
    `mean` is the mean map [y x] in [0, 1], of the runs of the first one's grid; `images` are those
    of one run.
    """

    group: str
    generator: str
    shares: tuple[Interval, ...]
    mean: np.ndarray
    images: int
    runs: int


@dataclass(frozen=True, eq=False)
class FacePartTable:
    """Shares of each group and generator; `areas` [part] are those of a map without preference.

    `layouts` are the parts of the images of each group, those of its first run.
    """

    rows: tuple[PartShares, ...]
    layouts: Mapping[str, FaceParts]

    def areas(self, group: str) -> np.ndarray:
        """Return the share of the image that each part covers, [part]."""
        return part_weights(self.layouts[group], (1, 1)).reshape(-1)


def face_part_table(
    frames: Sequence[Frame],
    layouts: Sequence[FaceParts],
    *,
    by: GeneratorRule = "subset",
) -> FacePartTable | None:
    """Tabulate the shares of the maps of runs over faces; `layouts` are the parts for each run.

    Maps are those stored, each scaled to its own range, without constant ones. None where no run
    has maps of two axes.
    """
    pairs = [
        (frame, layout)
        for frame, layout in zip(frames, layouts, strict=True)
        if frame.has("map") and len(frame.run.columns["map"].shape) == 2 and len(frame)
    ]
    if not pairs:
        return None
    drawn = [frame for frame, _ in pairs]
    generators = find_generators(drawn, by)
    tables = [
        _of_run(frame, layout, codes, len(generators.names))
        for (frame, layout), codes in zip(pairs, generators.codes, strict=True)
    ]
    rows = []
    for group in dict.fromkeys(frame.run.group for frame in drawn):
        places = [i for i, frame in enumerate(drawn) if frame.run.group == group]
        for code, name in enumerate(generators.names):
            if own := [i for i in places if tables[i].counts[code]]:
                shares = _over_runs(drawn, tables, generators, own, code)
                bounded = tuple(within_range(SHARE, i) for i in shares)
                rows.append(_row(group, name, [tables[i] for i in own], code, bounded))
    firsts: dict[str, FaceParts] = {}
    for frame, layout in pairs:
        firsts.setdefault(frame.run.group, layout)
    return FacePartTable(tuple(rows), firsts) if rows else None


@dataclass(frozen=True, eq=False)
class _RunShares:
    """Shares [image part] of one run, NaN for constant maps; sums and counts by generator."""

    shares: np.ndarray
    sums: np.ndarray  # [generator y x]
    counts: np.ndarray  # [generator]


def _of_run(frame: Frame, layout: FaceParts, codes: np.ndarray, count: int) -> _RunShares:
    y, x = frame.run.columns["map"].shape
    weights, first = part_weights(layout, (y, x)), 0
    shares = np.full((len(frame), FaceParts.count), np.nan)
    sums, counts = np.zeros((count, y, x)), np.zeros(count, int)
    for part in frame.run.iterate(["map"]):
        maps, rows = part["map"], slice(first, first + len(part["map"]))
        first = rows.stop
        own = np.where(frame.constant_map[rows], -1, codes[rows])
        present = own >= 0
        shares[rows][present] = part_shares(maps[present], weights)
        scale = 255 if maps.dtype == np.uint8 else 1
        for code in np.unique(own[present]):
            sums[code] += np.nan_to_num(maps[own == code]).sum(0, dtype=np.float64) / scale
            counts[code] += (own == code).sum()
    return _RunShares(shares, sums, counts)


def _over_runs(
    frames: Sequence[Frame],
    tables: Sequence[_RunShares],
    generators: Generators,
    own: Sequence[int],
    code: int,
) -> tuple[Interval, ...]:
    """Return the intervals of one group and generator: over images, or over runs and images."""
    parts = range(FaceParts.count)
    ids, places = shared_examples([frames[i] for i in own])
    if len(own) > 1 and ids:
        chosen = [place[generators.codes[own[0]][places[0]] == code] for place in places]
        clusters = generators.clusters[own[0]]
        values = np.stack([tables[i].shares[p] for i, p in zip(own, chosen, strict=True)])
        if np.isfinite(values).all(0).any():
            named = None if clusters is None else clusters[chosen[0]]
            return tuple(crossed_mean(values[..., p], clusters=named) for p in parts)
    intervals = []
    for i in own:
        chosen, clusters = generators.codes[i] == code, generators.clusters[i]
        named = None if clusters is None else clusters[chosen]
        shares = tables[i].shares[chosen]
        intervals.append([mean_interval(shares[:, p], clusters=named) for p in parts])
    return tuple(mean_of_intervals(list(of_part)) for of_part in zip(*intervals, strict=True))


def _row(
    group: str,
    generator: str,
    tables: Sequence[_RunShares],
    code: int,
    shares: tuple[Interval, ...],
) -> PartShares:
    mean, images, _ = mean_over_runs([(t.sums[code], int(t.counts[code])) for t in tables])
    return PartShares(group, generator, shares, mean, images, len(tables))
