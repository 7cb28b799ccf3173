"""Mean maps, and shares of maps on the parts of a face, drawn by matplotlib for files."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from salix.analysis.face_parts import SHARE, FaceParts, FacePartTable
from salix.analysis.mean_maps import ClassMeanMaps
from salix.analysis.part_shares import part_labels
from salix.plot import ColourScale
from salix.plot.canvas import PANEL, SMALL, colour_bar, colour_map, new_figure
from salix.report.figure_axes import FONT

Mean = tuple[np.ndarray, FaceParts | None]  # a map [y x] in [0, 1], and the parts of its crop
Means = Sequence[Sequence[Mean | None]]
LABEL = "mean map, each scaled by its own least and greatest value"
ROW = 0.3  # inches of a row of shares
MOST = 2.0  # log2 of the greatest ratio of a share and the part's area


def draw_mean_maps(table: Sequence[ClassMeanMaps]) -> Any:
    """Return a matplotlib figure of mean maps: classes down, groups across, in one scale."""
    maps = [[None if m is None else (m.mean / 255, None) for m in row.groups] for row in table]
    groups = [next(m.group for row in table if (m := row.groups[i])) for i in _present(maps)]
    columns = [[row[i] for i in _present(maps)] for row in maps]
    return _grid(columns, [row.title for row in table], groups)


def draw_face_maps(table: FacePartTable) -> Any:
    """Return a matplotlib figure of mean maps under the parts: generators down, groups across."""
    groups = list(table.layouts)
    names = list(dict.fromkeys(row.generator for row in table.rows))
    rows = {(row.generator, row.group): row.mean for row in table.rows}
    maps = [
        [(rows[n, g], table.layouts[g]) if (n, g) in rows else None for g in groups] for n in names
    ]
    return _grid(maps, names, groups)


def draw_part_shares(table: FacePartTable) -> Any:
    """Return a matplotlib figure of the shares: a row a group and generator, a column a part."""
    count = len(table.rows)
    figure = new_figure(7.4, 0.9 + ROW * count)
    axes = figure.subplots()
    values = np.array([[i.value for i in row.shares] for row in table.rows])
    areas = np.stack([table.areas(row.group) for row in table.rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log2(values / areas).clip(-MOST, MOST)
    # The diverging table has negative values in blue; on the page more than the area is blue.
    scale = ColourScale(-MOST, MOST, True, "")
    axes.imshow(-ratios, cmap=colour_map(scale), vmin=-2 * MOST, vmax=2 * MOST)
    axes.set_aspect("auto")
    for i, row in enumerate(table.rows):
        for j, share in enumerate(row.shares):
            text = f"{SHARE.format(share.value)}\n{SHARE.limits(share)}"
            axes.text(j, i, text, ha="center", va="center", fontsize=4.6)
    axes.set_xticks(range(FaceParts.count), FaceParts.parts, rotation=40, ha="right")
    several = len(table.layouts) > 1
    names = [f"{r.group}: {r.generator}" if several else r.generator for r in table.rows]
    axes.set_yticks(range(count), names)
    axes.tick_params(length=0, labelsize=FONT)
    _plain(axes)
    figure.supxlabel("blue: more than a map without preference; orange: less", fontsize=SMALL)
    return figure


def _present(maps: Means) -> list[int]:
    return [i for i in range(len(maps[0])) if any(row[i] for row in maps)]


def _grid(
    maps: Sequence[Sequence[Mean | None]], rows: Sequence[str], columns: Sequence[str]
) -> Any:
    """Return a figure of maps in one colour scale from 0 to the greatest value of any."""
    top = max(float(m[0].max()) for row in maps for m in row if m is not None) or 1.0
    scale = ColourScale(0.0, top, False, LABEL)
    figure = new_figure(PANEL * len(columns) + 1.0, PANEL * len(rows) + 0.9)
    panels = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, name, own in zip(panels, rows, maps, strict=True):
        line[0].set_ylabel(name, fontsize=FONT, parse_math=False)
        for axes, pair in zip(line, own, strict=True):
            axes.set(xticks=[], yticks=[], box_aspect=1)
            if pair is not None:
                _draw(axes, *pair, scale)
    for axes, name in zip(panels[0], columns, strict=True):
        axes.set_title(name, fontsize=FONT, parse_math=False)
    colour_bar(figure, list(panels.ravel()), scale, location="bottom")
    return figure


def _draw(axes: Any, mean: np.ndarray, layout: FaceParts | None, scale: ColourScale) -> None:
    colour = {"cmap": colour_map(scale), "vmin": scale.low, "vmax": scale.high}
    axes.imshow(mean, extent=(0, 1, 1, 0), aspect="auto", **colour)
    if layout is None:
        return
    labels = part_labels(layout)
    centres = (np.arange(len(labels)) + 0.5) / len(labels)
    for label in range(1, FaceParts.count + 1):
        axes.contour(centres, centres, labels == label, [0.5], colors="white", linewidths=0.5)


def _plain(axes: Any) -> None:
    axes.spines[:].set_visible(False)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
