"""Scores of attributions by the known place of the foreground, one value for each example."""

import jax
import numpy as np
from jaxtyping import Float, Int

from salix.metrics.localisation import localisation_auc

ExampleValues = Float[np.ndarray, " n"]
ImageValues = Float[np.ndarray, "n h w c"]
Corners = Int[np.ndarray, "n 2"]  # top and left pixel of a box
SoundValues = Float[np.ndarray, "n channels time 1"]
Channels = Int[np.ndarray, "n 1"]


def box_iou(values: ImageValues, corners: Corners, *, side: int, sigma: float) -> ExampleValues:
    r"""Intersection over union of the attribution's box with that of the foreground.

    The attribution is blurred over space by a Gaussian of `sigma` pixels; the mean of its absolute
    value over channels is the map. Its box is the smallest that has every pixel at or above the
    value of rank `side`$^2$, the area of the foreground, so that one stray pixel stretches it.
    In [0, 1], higher is better; 0 where the attribution is not finite. A constant map has the
    whole image for its box.

    Shi et al. (2024), arXiv:2406.12150, functional precision of images, as in the released code.
    """
    from scipy.ndimage import gaussian_filter

    finite = np.isfinite(values.reshape(len(values), -1)).all(1)
    clean = np.where(finite.reshape(-1, 1, 1, 1), values, 0)
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


def pixel_auc(values: ImageValues, corners: Corners, *, side: int) -> ExampleValues:
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


def channel_share(values: SoundValues, channels: Channels) -> ExampleValues:
    r"""Share of the attribution's L1 mass that is in the channel of the foreground.

    In [0, 1], higher is better, one part in the number of channels by chance; NaN for a zero map
    and one that is not finite. Each method has its own mass: the release divides DeepLIFT's share
    by the mass of integrated gradients.

    Shi et al. (2024), arXiv:2406.12150, functional precision of sounds.
    """
    masses = _masses(values)
    with np.errstate(invalid="ignore"):
        return _at(masses, channels) / masses.sum(1)


def channel_auc(values: SoundValues, channels: Channels) -> ExampleValues:
    r"""Share of the other channels with less L1 mass than that of the foreground, ties half.

    The area under the ROC curve of the mass for the channel of the foreground: in [0, 1], higher is
    better, 1/2 by chance; NaN for a zero map and one that is not finite.
    """
    masses = _masses(values)
    own = _at(masses, channels)[:, None]
    others = masses.shape[1] - 1
    less, equal = (masses < own).sum(1), (masses == own).sum(1) - 1
    return np.where(_defined(masses), (less + equal / 2) / others, np.nan)


def channel_hit(values: SoundValues, channels: Channels) -> ExampleValues:
    """Whether the channel of the foreground has more L1 mass than any other, 0 or 1.

    NaN for a zero map and one that is not finite.
    """
    masses = _masses(values)
    highest = (masses >= _at(masses, channels)[:, None]).sum(1) == 1
    return np.where(_defined(masses), highest, np.nan)


def _masses(values: SoundValues) -> Float[np.ndarray, "n channels"]:
    return np.abs(values.astype(np.float64)).sum((2, 3))


def _at(masses: np.ndarray, channels: Channels) -> ExampleValues:
    return np.take_along_axis(masses, channels, 1)[:, 0]


def _defined(masses: np.ndarray) -> np.ndarray:
    total = masses.sum(1)
    return np.isfinite(total) & (total > 0)
