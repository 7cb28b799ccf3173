"""Scores of attributions by the known place of the foreground, one value for each example."""

import jax
import numpy as np
from jaxtyping import Float, Int

from salix.metrics.localisation import localisation_auc

Values = Float[np.ndarray, " n"]
ImageValues = Float[np.ndarray, "n h w c"]
Corners = Int[np.ndarray, "n 2"]  # top and left pixel of a box


def box_iou(values: ImageValues, corners: Corners, *, side: int, sigma: float) -> Values:
    r"""Intersection over union of the attribution's box with that of the foreground.

    The attribution is blurred over space by a Gaussian of `sigma` pixels; the mean of its absolute
    value over channels is the map. Its box is the smallest that has every pixel at or above the
    value of rank `side`$^2$, the area of the foreground, so that one stray pixel stretches it.
    In [0, 1], higher is better; 0 where the attribution is not finite. A constant map has the
    whole image for its box.

    Shi et al. (2024), arXiv:2406.12150, functional precision of images, as in the released code.
    """
    from scipy.ndimage import gaussian_filter

    finite = np.isfinite(values).all((1, 2, 3))
    clean = np.where(finite[:, None, None, None], values, 0)
    blurred = gaussian_filter(clean, (0, sigma, sigma, 0)) if sigma else clean
    maps = np.abs(blurred).mean(-1)
    flat = maps.reshape(len(maps), -1)
    rank = flat.shape[1] - side**2
    above = maps >= np.partition(flat, rank, axis=1)[:, rank, None, None]
    intersection, area = np.ones(len(maps)), np.ones(len(maps))
    for axis, lows in ((2, corners[:, 0]), (1, corners[:, 1])):
        first, last = _extent(above.any(axis))
        overlap = np.minimum(last, lows + side) - np.maximum(first, lows)
        intersection, area = intersection * np.maximum(overlap, 0), area * (last - first)
    return np.where(finite, intersection / (area + side**2 - intersection), 0)


def _extent(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first set index of each row, and that after the last."""
    return flags.argmax(1), flags.shape[1] - flags[:, ::-1].argmax(1)


def pixel_auc(values: ImageValues, corners: Corners, *, side: int) -> Values:
    r"""Area under the ROC curve of $\lvert$attribution$\rvert$ for the pixels of the foreground.

    The map is the mean of $\lvert A \rvert$ over channels, without a blur: see `localisation_auc`.
    In [0, 1], higher is better, 1/2 by chance; NaN for a zero map and one that is not finite. One
    stray pixel costs its share of the pixels outside.
    """
    maps = np.abs(values).mean(-1)
    rows, columns = np.ogrid[: maps.shape[1], : maps.shape[2]]
    tops, lefts = corners.T[..., None, None]
    inside = (rows >= tops) & (rows < tops + side) & (columns >= lefts) & (columns < lefts + side)
    return np.asarray(jax.jit(jax.vmap(localisation_auc))(maps, inside), np.float64)
