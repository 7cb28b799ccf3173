"""Linear interpolation of an image from scattered pixels, rasterised over one triangulation."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from salix.typing import InputError, Pixels

Triangles = Int[np.ndarray, "n 3 2"]


def interpolate_pixels(image: Pixels, known: Bool[np.ndarray, "h w"]) -> Pixels:
    """Replace the unknown pixels of an image by linear interpolation between the known ones.

    Over the Delaunay triangulation of the known pixels and the four corners, the value of a pixel
    is that of the plane through its triangle's corners, rounded half to even. Where four known
    pixels lie on one circle the triangulation is one of several. One triangulation serves all
    channels; a pixel among known pixels alone takes no part in it. Raises `InputError` for other
    shapes, and for images one pixel wide.
    """
    from scipy.spatial import Delaunay

    image, known = np.asarray(image), np.array(known)
    if image.shape[:2] != known.shape or min(known.shape) < 2:
        raise InputError(
            f"the image has the shape {image.shape} and its known pixels {known.shape}: give both "
            "one height and width, of 2 or more pixels"
        )
    known[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    if known.all():
        return image
    points = np.argwhere(known & ~_surrounded(known))
    triangles = points[Delaunay(points).simplices]
    pixel, triangle = _rasterise(triangles, known)
    value = image[tuple(np.moveaxis(triangles[triangle], -1, 0))].astype(np.int64)  # [n 3 c]
    weights = _areas(triangles[triangle], pixel)
    planes = np.einsum("nk,nkc->nc", weights, value) / weights.sum(1, keepdims=True)
    out = image.copy()
    out[tuple(pixel.T)] = np.rint(planes.astype(np.float32))  # a half stays one, despite rounding
    return out


def _surrounded(known: np.ndarray) -> np.ndarray:
    """Mark the pixels with eight known neighbours; outside the image all are known.

    The Voronoi cell of such a pixel is its own unit square, so that its triangles are halves of
    unit squares and contain no unknown pixel; and the empty circle of any other triangle stays
    empty without it.
    """
    padded = np.pad(known, 1, constant_values=True)
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]


def _rasterise(triangles: Triangles, known: np.ndarray) -> Any:
    """Return the unknown pixels [n 2] in triangles or on their edges, and their triangles [n].

    Row by row between exact ends, in whole numbers. A triangle of the least area, 1/2, contains no
    pixel but its corners.
    """
    a, b, c = np.moveaxis(triangles, 1, 0)
    twice = np.abs(_cross(b - a, c - a))
    large = np.flatnonzero(twice > 1)
    y = triangles[large, :, 0]
    row, owner = _ranges(y.min(1), y.max(1))
    triangle = large[owner]
    first = np.full(len(row), known.shape[1])
    last = np.full(len(row), -1)
    for start, stop in ((0, 1), (1, 2), (2, 0)):
        (y0, x0), (y1, x1) = (triangles[triangle, k].T for k in (start, stop))
        crosses = (np.minimum(y0, y1) <= row) & (row <= np.maximum(y0, y1)) & (y0 != y1)
        rise = np.where(y1 > y0, 1, -1)
        run, along = np.where(crosses, rise * (y1 - y0), 1), rise * (x1 - x0) * (row - y0)
        first = np.where(crosses, np.minimum(first, x0 - -along // run), first)
        last = np.where(crosses, np.maximum(last, x0 + along // run), last)
    column, owner = _ranges(first, last)
    row, triangle = row[owner], triangle[owner]
    unknown = ~known[row, column]
    return np.stack([row, column], 1)[unknown], triangle[unknown]


def _ranges(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the whole numbers of ranges, ends included, and the index of each one's range."""
    lengths = np.maximum(last - first + 1, 0)
    owner = np.repeat(np.arange(len(first)), lengths)
    starts = np.cumsum(lengths) - lengths
    return first[owner] + np.arange(len(owner)) - starts[owner], owner


def _areas(triangles: Triangles, pixel: np.ndarray) -> np.ndarray:
    """Return twice the signed areas between a pixel and the three sides, by opposite corner."""
    to = triangles - pixel[:, None]
    return np.stack([_cross(to[:, (k + 1) % 3], to[:, (k + 2) % 3]) for k in range(3)], 1)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
