"""Figure of a grid of maps: images down, methods or models across, in one colour scale."""

import re
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np

from salix.plot.canvas import (
    PANEL,
    SMALL,
    as_map,
    as_pixels,
    check_opacity,
    colour_bar,
    draw,
    new_figure,
)
from salix.plot.colour_scale import ColourScale, choose_scale, relative
from salix.typing import AnyArray, InputError

SCALES = ("figure", "row", "map")


def grid(
    images: Sequence[Any] | AnyArray,
    maps: Sequence[Any] | AnyArray,
    *,
    titles: Sequence[str] = (),
    rows: Sequence[str] = (),
    scale: str | ColourScale = "figure",
    unit: str = "attribution",
    signed: bool | None = None,
    percentile: float = 99.0,
    smooth: bool = False,
    opacity: float = 0.6,
    note: str = "",
) -> Any:
    r"""Return a matplotlib figure of images (rows) and the maps of each (columns).

    `maps[i]` are the maps [y x] of image i, one for each of `titles`; each may have a grid of its
    own, and None is an empty panel. The first column is the image alone; `rows` label it.

    One colour scale is printed: "figure", of the values of all maps; "row", one for each image;
    "map", for maps in different units, where each map is divided by the `percentile` of its own
    $|a|$; or a given one. A scale with negative values diverges around zero, see `choose_scale`.
    `unit`, the number of images, their size and the grids of the maps are printed, and `note` after
    them. `smooth`, `opacity` and errors as in `overlay`; also `InputError` for rows of different
    lengths.
    """
    check_opacity(opacity)
    if not isinstance(scale, ColourScale) and scale not in SCALES:
        raise InputError(f"scale is {scale!r}: choose {', '.join(SCALES)}, or a ColourScale")
    pixels = [as_pixels(image) for image in images]
    table = [[None if m is None else as_map(m) for m in _one_row(row)] for row in maps]
    _check(pixels, table, titles, rows)
    grids = sorted({m.shape for row in table for m in row if m is not None})
    if scale == "map":
        table = [[None if m is None else relative(m, percentile) for m in row] for row in table]
        unit = f"{unit} over the {percentile:g}th percentile of its own magnitudes, clipped"
    scales = [scale] if isinstance(scale, ColourScale) else []
    for group in table if scale == "row" else [[m for row in table for m in row]]:
        scales.append(_scale(group, signed, percentile, unit, scale == "map"))
    figure, axes = _panels(pixels, 1 + len(table[0]))
    for i, (image, row) in enumerate(zip(pixels, table, strict=True)):
        shared = scales[i if scale == "row" else 0]
        draw(axes[i, 0], image, None, shared, opacity=opacity, smooth=smooth)
        for panel, map in zip(axes[i, 1:], row, strict=True):
            if map is None:
                panel.set_box_aspect(image.shape[0] / image.shape[1])
                panel.text(0.5, 0.5, "no map", ha="center", transform=panel.transAxes, size=SMALL)
            else:
                draw(panel, image, map, shared, opacity=opacity, smooth=smooth)
        if scale == "row":
            colour_bar(figure, list(axes[i]), shared)
        if rows:
            axes[i, 0].set_ylabel(_wrap(rows[i], 26), fontsize=SMALL, parse_math=False)
    for panel, title in zip(axes[0], ("image", *titles), strict=False):
        panel.set_title(_wrap(title, 24), fontsize=SMALL, parse_math=False)
    if scale != "row":
        colour_bar(figure, list(axes.ravel()), scales[0], location="bottom")
    figure.supxlabel(_caption(pixels, grids, note), fontsize=SMALL, parse_math=False)
    return figure


def _one_row(row: Any) -> Any:
    """Return the maps of one image; a single map [y x] is the only one."""
    return [row] if isinstance(row, AnyArray) and np.ndim(row) == 2 else row


def _check(pixels: list[Any], table: list[Any], titles: Sequence[str], rows: Sequence[str]) -> None:
    lengths = {len(row) for row in table}
    if not pixels or len(pixels) != len(table):
        raise InputError(f"{len(pixels)} images and maps of {len(table)}: give maps of each image")
    if len(lengths) > 1 or 0 in lengths:
        raise InputError(
            f"the images have {', '.join(map(str, sorted(lengths)))} maps: give each the same "
            "number, and None where one is missing"
        )
    for name, texts, count in (("titles", titles, lengths.pop()), ("rows", rows, len(pixels))):
        if texts and len(texts) != count:
            raise InputError(f"{len(texts)} {name} for {count}: give one for each")


def _scale(
    maps: Sequence[Any], signed: bool | None, percentile: float, unit: str, scaled: bool
) -> ColourScale:
    present = [m for m in maps if m is not None]
    if not scaled:
        return choose_scale(present, signed=signed, percentile=percentile, unit=unit)
    if signed is None:
        signed = any((m < 0).any() for m in present)
    beyond = any((m > 1).any() for m in present)
    extend = ("both" if signed else "max") if beyond else "neither"
    return ColourScale(-1.0 if signed else 0.0, 1.0, signed, unit, extend)


def _panels(pixels: list[np.ndarray], columns: int) -> tuple[Any, Any]:
    """Return a figure whose rows are as high as their images."""
    heights = [min(max(p.shape[0] / p.shape[1], 0.3), 3.0) for p in pixels]
    figure = new_figure(PANEL * columns + 0.9, PANEL * sum(heights) + 1.1)
    axes = figure.subplots(len(pixels), columns, squeeze=False, height_ratios=heights)
    for panel in axes.ravel():
        panel.set_xticks([])
        panel.set_yticks([])
    return figure, axes


def _wrap(text: str, width: int) -> str:
    """Break each line of a text, also after the opening bracket of a method's arguments."""
    options: dict[str, Any] = {"break_long_words": True, "max_lines": 5, "placeholder": " …"}
    parts = [re.sub(r"\((?!\))", "(\u200b ", line) for line in text.split("\n")]
    lines = [line for part in parts for line in wrap(part, width, **options)]
    return "\n".join(line.replace("\u200b ", "").replace("\u200b", "") for line in lines)


def _caption(pixels: list[np.ndarray], grids: list[tuple[int, ...]], note: str) -> str:
    count = f"{len(pixels)} images" if len(pixels) > 1 else "1 image"
    sizes = " and ".join(dict.fromkeys(f"{p.shape[0]} x {p.shape[1]}" for p in pixels[:3]))
    size = f"{count} of {sizes} pixels" if len({p.shape for p in pixels}) <= 3 else count
    shapes = [f"{y} x {x}" for y, x in grids]
    if len(shapes) > 3:
        shapes = [shapes[0], "…", shapes[-1]]
    return "; ".join(filter(None, (size, f"maps of {', '.join(shapes)}" if shapes else "", note)))
