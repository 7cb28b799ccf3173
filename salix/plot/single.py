"""Figure of one image with its map over it, its colour bar, and axes in pixels."""

from typing import Any

from jaxtyping import Num

from salix.plot.canvas import SMALL, as_map, as_pixels, check_opacity, colour_bar, draw, new_figure
from salix.plot.colour_scale import ColourScale, choose_scale
from salix.typing import AnyArray


def overlay(
    image: Num[AnyArray, "h w *c"],
    map: Num[AnyArray, "*grid"],
    *,
    title: str = "",
    unit: str = "attribution",
    scale: ColourScale | None = None,
    signed: bool | None = None,
    percentile: float = 99.0,
    smooth: bool = False,
    opacity: float = 0.6,
) -> Any:
    """Return a matplotlib figure of an image with its map over it, and the printed colour scale.

    `image` [h w], [h w 1] or [h w 3] has 8-bit pixels, or real ones in [0, 1]; the map [y x] may
    have any grid, which is stretched over the image at its own resolution, or `smooth` (bicubic).
    A map with negative values diverges around zero, which is neutral; any other is sequential from
    zero: see `choose_scale` for `signed` and `percentile`, and give a `scale` to share one between
    figures. `unit` is printed on the scale, `opacity` in [0, 1] is the map's share of a pixel; axes
    are in pixels of the image. The figure belongs to no window and changes no setting of
    matplotlib: `salix.plot.save` writes it. Raises `InputError` for other shapes and values, and
    where matplotlib is not installed.
    """
    check_opacity(opacity)
    pixels, values = as_pixels(image), as_map(map)
    h, w = pixels.shape[:2]
    shared = scale or choose_scale([values], signed=signed, percentile=percentile, unit=unit)
    figure = new_figure(5.0, 3.9 * min(max(h / w, 0.5), 2.0))
    axes = figure.subplots()
    draw(axes, pixels, values, shared, opacity=opacity, smooth=smooth)
    axes.set_title(title, fontsize=9, parse_math=False)
    axes.set_xlabel(f"x in pixels; map of {values.shape[0]} x {values.shape[1]}", fontsize=SMALL)
    axes.set_ylabel("y in pixels", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    colour_bar(figure, axes, shared)
    return figure
