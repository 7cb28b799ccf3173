r"""Maps of videos: how steady they are from frame to frame, and how local in each frame.

A map is read as a distribution of mass over its pixels, $p_t$ of frame t. Baldassarre, Debard,
Pontiveros and Wijaya (2022), arXiv:2210.03683, ask whether explanations of videos are smooth and
local; the definitions here are this package's own, on [0, 1], whatever the size of the maps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from salix.stats import Interval, mean_interval
from salix.store import Run
from salix.typing import InputError

TITLES = {
    "variation": "Change between frames",
    "drift": "Drift of the centre",
    "spread": "Spread about the centre",
}


@dataclass(frozen=True, eq=False)
class VideoMaps:
    r"""Numbers of the maps of videos, in the order of their first frames.

    `values["variation"]` is $\frac12 \sum_i |p_{t+1,i} - p_{t,i}|$, the mean over successive
    frames: 0 where the map stays, 1 where nothing of it does. `values["drift"]` is the distance of
    successive centres of mass over the diagonal of the map. `values["spread"]` is the root mean
    square distance of the mass from its centre, over that of a uniform map, the mean over frames: 0
    for a single pixel. `frames` counts the frames with a map, `constant` those without contrast,
    which are left out; a video of one frame has neither variation nor drift.
    """

    videos: tuple[str, ...]
    labels: np.ndarray
    frames: np.ndarray
    constant: np.ndarray
    values: Mapping[str, np.ndarray]

    def means(self, label: int | None = None) -> dict[str, Interval]:
        """Return the mean of each number over the videos of a class or all, with its interval.

        Videos of one name and of two labels, such as the genuine and the forged half of a file,
        are dependent.
        """
        chosen = self.of_label(label)
        names = np.array(self.videos, object)[chosen]
        return {n: mean_interval(v[chosen], clusters=names) for n, v in self.values.items()}

    def of_label(self, label: int | None) -> np.ndarray:
        """Return flags of the videos of a class, or of all."""
        return np.full(len(self.videos), True) if label is None else self.labels == label


@dataclass(frozen=True, eq=False)
class RunVideoMaps:
    """Maps of the videos of one run, by its name and group."""

    run: str
    group: str
    maps: VideoMaps


@dataclass
class _Video:
    label: int
    frames: int = 0
    constant: int = 0
    last: np.ndarray | None = None
    centre: np.ndarray = field(default_factory=lambda: np.zeros(2))
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TITLES, 0.0))
    steps: int = 0

    def add(self, map: np.ndarray) -> None:
        mass = np.abs(map.astype(np.float64))
        total = mass.sum()
        if not np.isfinite(total) or np.ptp(mass) == 0:
            self.constant += 1
            return
        mass /= total
        grid = np.indices(mass.shape)
        centre = (mass * grid).sum((1, 2))
        square = (mass * ((grid - centre[:, None, None]) ** 2).sum(0)).sum()
        sides = np.array(mass.shape)
        self.sums["spread"] += float(np.sqrt(12 * square / (sides**2 - 1).sum()))
        if self.last is not None:
            self.sums["variation"] += float(np.abs(mass - self.last).sum() / 2)
            shift = np.linalg.norm(centre - self.centre) / np.linalg.norm(sides - 1)
            self.sums["drift"] += float(shift)
            self.steps += 1
        self.last, self.centre, self.frames = mass, centre, self.frames + 1

    def mean(self, name: str) -> float:
        count = self.frames if name == "spread" else self.steps
        return float(self.sums[name] / count) if count else np.nan


def video_maps(run: Run) -> VideoMaps:
    """Return the numbers of the maps of a run's videos, which are its groups.

    Frames are in the order of the data, which is that of the frames in layouts and folders. Maps
    are read part by part. Raises `InputError` for a run without groups or two-dimensional maps.
    """
    if "group" not in run.columns:
        raise InputError(
            f"{run.path} names no videos: sweep with --group-by, or data by its layout"
        )
    if "map" not in run.columns or len(run.columns["map"].shape) != 2:
        raise InputError(f"{run.path} stores no maps [y x]: sweep without --maps none")
    names = ["group", "map", *(["label"] if "label" in run.columns else [])]
    chunks = (
        zip(c["group"], c.get("label", np.full(len(c["group"]), -1)), c["map"], strict=True)
        for c in run.iterate(names)
    )
    return measure_maps(row for chunk in chunks for row in chunk)


def run_video_maps(runs: Iterable[Run]) -> list[RunVideoMaps]:
    """Return the maps of each run that has videos of several frames, and maps of two axes."""
    results = []
    for run in runs:
        if "group" not in run.columns or len(getattr(run.columns.get("map"), "shape", ())) != 2:
            continue
        maps = video_maps(run)
        if np.isfinite(maps.values["variation"]).any():
            results.append(RunVideoMaps(run.name, run.group, maps))
    return results


def measure_maps(rows: Iterable[tuple[str | None, int, np.ndarray]]) -> VideoMaps:
    """Return the numbers of maps [y x], each with its video and label, in the order of frames.

    Rows without a video are left out; one name with two labels is two videos.
    """
    videos: dict[tuple[str, int], _Video] = {}
    for name, label, map in rows:
        if name is not None:
            videos.setdefault((name, int(label)), _Video(int(label))).add(map)
    return VideoMaps(
        tuple(name for name, _ in videos),
        np.array([v.label for v in videos.values()], int),
        np.array([v.frames for v in videos.values()], int),
        np.array([v.constant for v in videos.values()], int),
        MappingProxyType(
            {n: np.array([v.mean(n) for v in videos.values()], float) for n in TITLES}
        ),
    )
