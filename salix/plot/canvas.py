"""Matplotlib figures without global state: import, images under maps, colour bars and files."""

from importlib.util import find_spec
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from salix.plot.colour_scale import ColourScale
from salix.plot.colours import colours, diverging_colours
from salix.typing import InputError

FILES = (".png", ".pdf", ".svg")
SMALL = 7.0  # points
GREY = np.array([0.299, 0.587, 0.114])  # of RGB, as `salix.preprocess`, which imports JAX
PANEL = 1.75  # inches: four beside each other fill a page of text


def check_matplotlib() -> None:
    """Raise `InputError` where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise InputError(
            "figures need matplotlib, which is not installed: pip install 'salix[figures]', or "
            "pip install matplotlib"
        )


def check_file(file: Path) -> None:
    """Raise `InputError` for a file that no figure is written as, or without matplotlib."""
    if file.suffix.lower() not in FILES:
        raise InputError(f"{file} is no file of a figure: give one that ends in {', '.join(FILES)}")
    check_matplotlib()


def new_figure(width: float, height: float) -> Any:
    """Return an empty `Figure` of a size in inches; `InputError` where matplotlib is missing."""
    check_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def save(figure: Any, file: str | Path) -> None:
    """Write a figure as PNG (300 dots an inch), PDF or SVG, by the suffix of `file`.

    Text of a PDF and an SVG stays text, maps keep their own pixels, and no date is written. Raises
    `InputError` for another suffix.
    """
    path = Path(file)
    check_file(path)
    from matplotlib import rc_context

    dates = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    options: Any = {"svg.fonttype": "none", "svg.hashsalt": "salix", "pdf.fonttype": 42}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(options):
        about = dates.get(path.suffix.lower())
        # Tight: titles of several lines are higher than the layout leaves room for.
        figure.savefig(path, dpi=300, metadata=about, bbox_inches="tight", pad_inches=0.04)


def as_pixels(image: Any) -> np.ndarray:
    """Return an image [h w], [h w 1] or [h w 3], 8-bit or real in [0, 1], as RGB in [0, 1]."""
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, -1)
    real = pixels.dtype.kind == "f"
    if pixels.ndim != 3 or pixels.shape[-1] != 3 or not (real or pixels.dtype == np.uint8):
        raise InputError(
            f"an image of type {pixels.dtype} and shape {np.shape(image)} cannot be drawn: "
            "give [h w], [h w 1] or [h w 3], 8-bit pixels or real ones in [0, 1]"
        )
    if real and not (pixels.min(initial=0) >= 0 and pixels.max(initial=0) <= 1):
        raise InputError(
            f"an image has values from {pixels.min():.4g} to {pixels.max():.4g}: give 8-bit pixels "
            "or real ones in [0, 1], as before the model's preprocessing"
        )
    return pixels.astype(np.float64) if real else pixels / 255


def as_map(map: Any) -> np.ndarray:
    """Return a map as an array of 64-bit numbers [y x]; `InputError` for any other."""
    values = np.asarray(map).astype(np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise InputError(
            f"a map of shape {values.shape} cannot be drawn: give finite values [y x], of a volume "
            "one slice"
        )
    return values


def check_opacity(opacity: float) -> None:
    """Raise `InputError` for an opacity outside [0, 1]."""
    if not 0 <= opacity <= 1:
        raise InputError(f"opacity is {opacity}: give 0 (the image alone) to 1 (the map alone)")


def draw(
    axes: Any,
    image: np.ndarray,
    map: np.ndarray | None,
    scale: ColourScale,
    *,
    opacity: float,
    smooth: bool,
) -> None:
    """Draw an image or, stretched over its grey version, a map: grey leaves colour to the map."""
    h, w = image.shape[:2]
    extent = (-0.5, w - 0.5, h - 0.5, -0.5)
    if map is None:
        axes.imshow(image, extent=extent, interpolation="nearest")
    else:
        grey = image @ GREY
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
        how = "bicubic" if smooth else "nearest"
        colour = {"cmap": colour_map(scale), "norm": norm(scale)}
        axes.imshow(map, extent=extent, interpolation=how, alpha=opacity, **colour)
    axes.set_xlim(-0.5, w - 0.5)
    axes.set_ylim(h - 0.5, -0.5)


def colour_bar(figure: Any, axes: Any, scale: ColourScale, *, location: str = "right") -> None:
    """Add the colour bar of a scale with its sentence."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(
        ScalarMappable(norm(scale), colour_map(scale)),
        ax=axes,
        location=location,
        extend=scale.extend,
        pad=0.02,
        aspect=40 if location == "bottom" else 25,
        shrink=0.7 if location == "bottom" else 1.0,
    )
    bar.ax.tick_params(labelsize=SMALL)
    width = 90 if location == "bottom" else 42
    bar.set_label("\n".join(wrap(scale.label, width)), fontsize=SMALL, parse_math=False)


def colour_map(scale: ColourScale) -> Any:
    """Return the colour table of a scale for matplotlib."""
    from matplotlib.colors import ListedColormap

    return ListedColormap((diverging_colours() if scale.signed else colours()) / 255)


def norm(scale: ColourScale) -> Any:
    """Return the linear norm of a scale for matplotlib; values beyond it have its end colours."""
    from matplotlib.colors import Normalize

    return Normalize(scale.low, scale.high)
