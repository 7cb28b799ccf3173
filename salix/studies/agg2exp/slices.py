"""Slices of scans with the attributions of one class, as pictures for the page."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from salix.plot.colours import diverging_colours
from salix.report.heatmap import data_address

ENLARGED = 160  # pixels of the longer side of a slice


def slice_pictures(
    scan: str,
    target: str,
    volume: np.ndarray,
    predicted: np.ndarray,
    number: int,
    maps: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Return data addresses of a slice through a class: the scan, its classes, and each map.

    The slice has the most voxels of the class. Maps are signed, blue below 0, each scaled by the
    largest value of its slice.
    """
    z = int((predicted == number).sum((1, 2)).argmax())
    grey = _grey(volume[z], volume)
    outline = predicted[z] == number
    pictures = [{"name": "scan", "picture": _address(np.repeat(grey[..., None], 3, -1), outline)}]
    for name, a in maps.items():
        size = max(float(np.abs(a[z]).max()), 1e-30)
        index = np.rint(128 + 128 * a[z] / size).astype(int)
        pictures.append({"name": name, "picture": _address(diverging_colours()[index], outline)})
    return {"scan": scan, "target": target, "slice": z, "pictures": pictures}


def _grey(plane: np.ndarray, volume: np.ndarray) -> np.ndarray:
    low, high = np.percentile(volume, [0.5, 99.5])
    return np.rint(255 * np.clip((plane - low) / max(high - low, 1e-12), 0, 1)).astype(np.uint8)


def _address(colours: np.ndarray, outline: np.ndarray) -> str:
    """Return an enlarged picture as a data address, with the border of a region drawn green."""
    from PIL import Image

    factor = max(1, ENLARGED // max(outline.shape))
    large = np.kron(colours, np.ones((factor, factor, 1), np.uint8)).astype(np.uint8)
    inside = np.kron(outline, np.ones((factor, factor), bool))
    core = inside.copy()
    for axis in (0, 1):
        for step in (1, -1):
            core &= np.roll(inside, step, axis)
    large[inside & ~core] = (0, 190, 120)
    return data_address(Image.fromarray(large), "PNG")
