"""Section: how steady and how local the maps of videos are, by run and class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis import Analysis, RunVideoMaps, run_video_maps
from salix.analysis.columns import TableColumn
from salix.analysis.map_motion import TITLES
from salix.analysis.summary import plain_interval
from salix.report.export import record
from salix.report.section import Section, read_template
from salix.stats import Interval

RANGES = {
    "variation": "0 = the map stays, 1 = all of its mass moves",
    "drift": "0 = none, 1 = across the diagonal",
    "spread": "0 = one pixel, 1 = as a uniform map",
}
COLUMNS = tuple(TableColumn(key, title, RANGES[key], 0.0, 1.0) for key, title in TITLES.items())


@dataclass(frozen=True, eq=False)
class ClassRow:
    """Means over the videos of one class, or of all: counts of videos, frames, constant maps."""

    label: str
    videos: int
    frames: int
    constant: int
    means: Mapping[str, Interval]


def build(analysis: Analysis) -> Section | None:
    """Tabulate the maps of videos of each run; None where no run has videos with maps."""
    runs = run_video_maps(analysis.runs)
    if not runs:
        return None
    classes = {f.run.name: f.class_name for f in analysis.frames}
    rows = [(run, _rows(run, classes[run.run])) for run in runs]
    return Section(
        "map-motion",
        "Maps of videos from frame to frame",
        read_template(__file__),
        {"columns": COLUMNS, "runs": rows},
        link="Maps of videos",
        records=[
            record("map motion", run.group, run.run, key, row.label, interval)
            for run, own in rows
            for row in own
            for key, interval in row.means.items()
        ],
        data={"map_motion": [_data(run, own) for run, own in rows]},
    )


def _rows(run: RunVideoMaps, class_name: Any) -> list[ClassRow]:
    labels = sorted({int(label) for label in run.maps.labels if label >= 0})
    several: list[int | None] = [None, *labels] if len(labels) > 1 else [None]
    rows = []
    for label in several:
        own = run.maps.of_label(label)
        frames, constant = (int(np.sum(x[own])) for x in (run.maps.frames, run.maps.constant))
        name = "all videos" if label is None else class_name(label)
        rows.append(ClassRow(name, int(own.sum()), frames, constant, run.maps.means(label)))
    return rows


def _data(run: RunVideoMaps, rows: list[ClassRow]) -> dict[str, Any]:
    head: dict[str, Any] = {"run": run.run, "group": run.group}
    return head | {
        row.label: {"videos": row.videos, "frames": row.frames, "constant": row.constant}
        | {key: plain_interval(i) for key, i in row.means.items()}
        for row in rows
    }
