"""Colour tables of maps: one that rises in lightness, and one that diverges from zero."""

from functools import cache

import numpy as np

# Blue for negative and vermilion for positive values, told apart without colour vision; the
# hues of `salix.report.palette`, equally dark at both ends.
DIVERGING = ("#06304f", "#0072B2", "#9ac7e2", "#f7f7f5", "#f3b48b", "#C44E00", "#571f00")


@cache
def colours() -> np.ndarray:
    """Return the colour of each 8-bit value, [256 3]: inferno, which rises evenly in lightness.

    Readable without colour vision and in grey print. Smith and van der Walt (2015), matplotlib.
    """
    from plotly.colors import sequential

    return _interpolate(sequential.Inferno, 256)


@cache
def diverging_colours() -> np.ndarray:
    """Return 257 colours from the most negative to the most positive value, [257 3].

    The one in the middle, of zero, is a neutral near-white.
    """
    return _interpolate(DIVERGING, 257)


def _interpolate(stops: tuple[str, ...] | list[str], count: int) -> np.ndarray:
    levels = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops], np.float64)
    positions = np.linspace(0, count - 1, len(levels))
    channels = [np.interp(np.arange(count), positions, levels[:, c]) for c in range(3)]
    return np.rint(np.stack(channels, 1)).astype(np.uint8)
