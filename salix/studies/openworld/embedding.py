"""Plane of the features of test faces by t-SNE, as marks and thumbnails of a page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from salix.report.heatmap import data_address
from salix.report.palette import Palette

SIZE = 760  # of the drawing
MARGIN = 22
THUMB = 30  # pixels of a thumbnail on the drawing
EACH = 3  # thumbnails of a family
PERPLEXITY = 30.0


@dataclass(frozen=True)
class PlaneMark:
    """A face in the plane: its place, its family's sign, and its picture where it has one."""

    x: float
    y: float
    colour: str
    path: str
    filled: bool
    title: str
    picture: str


def plane(features: Float[np.ndarray, "n k"], *, seed: int) -> Float[np.ndarray, "n 2"]:
    """Return coordinates in [0, 1] of features by t-SNE, from their principal components.

    Distances between far groups mean nothing. van der Maaten and Hinton (2008), JMLR 9.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    rule = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    points = rule.fit_transform(np.asarray(features, np.float32))
    low, span = points.min(0), np.ptp(points, axis=0)
    return (points - low) / np.where(span > 0, span, 1)


def marks(
    points: Float[np.ndarray, "n 2"],
    labels: Int[np.ndarray, " n"],
    titles: Sequence[str],
    names: Sequence[str],
    known: int,
    pixels: UInt8[np.ndarray, "n h w 3"],
) -> tuple[PlaneMark, ...]:
    """Return the marks of faces; known families are filled, and three of each have pictures.

    Pictured are the face nearest to the middle of its family, and those farthest from each other
    and from it.
    """
    palette = Palette(tuple(names))
    chosen = {i for f in range(len(names)) for i in _spread(points, np.flatnonzero(labels == f))}
    places = MARGIN + points * (SIZE - 2 * MARGIN)
    result = []
    for i, (x, y) in enumerate(places.tolist()):
        swatch = palette[names[int(labels[i])]]
        picture = _picture(pixels[i]) if i in chosen else ""
        filled = bool(labels[i] < known)
        result.append(PlaneMark(x, y, swatch.colour, swatch.path, filled, titles[i], picture))
    return tuple(sorted(result, key=lambda mark: bool(mark.picture)))


def _spread(points: np.ndarray, rows: np.ndarray) -> list[int]:
    """Return places in the middle of some points and far from each other."""
    if not len(rows):
        return []
    far = np.linalg.norm(points[rows] - np.median(points[rows], axis=0), axis=1)
    chosen = [int(far.argmin())]
    while len(chosen) < min(EACH, len(rows)):
        distances = np.linalg.norm(points[rows][:, None] - points[rows[chosen]][None], axis=-1)
        chosen.append(int(distances.min(1).argmax()))
    return rows[chosen].tolist()


def _picture(pixels: np.ndarray) -> str:
    from PIL import Image

    return data_address(Image.fromarray(pixels), "PNG")
