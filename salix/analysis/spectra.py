r"""Radially averaged power spectra of maps, by group and class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.frame import Frame
from salix.stats import Interval, mean_interval

LEAST = 16  # pixels of a map's side: a smaller one has too few frequencies
IMAGES = 1000  # of a run and class, evenly over the data
EXACT = 1e-24  # relative energy of what differs from a constant map by rounding alone


@dataclass(frozen=True, eq=False)
class Spectrum:
    r"""Mean over the maps of one run and class of $\log_{10}$ of their power, with its interval.

    `frequencies` are in cycles per pixel, `power` [frequency] over images or groups of images.
    """

    run: str
    group: str
    label: str
    frequencies: np.ndarray
    power: tuple[Interval, ...]


def radial_power(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return frequencies and the power of `maps` [image y x] at each: [image frequency].

    $|F|^2 / (h w)$ of a map less its mean, divided by its variance and averaged over rings one
    frequency step $1 / \min(h, w)$ wide, up to 0.5 cycles per pixel: on average 1 for white noise,
    but less at the lowest frequency, as the mean is taken off. A constant map gives NaN. A Hann
    window keeps the edges of a map, which the transform joins, from adding power.
    """
    h, w = maps.shape[1:]
    window = np.outer(np.hanning(h + 2)[1:-1], np.hanning(w + 2)[1:-1])
    x = maps.astype(np.float64)
    x = (x - (x * window).sum((1, 2), keepdims=True) / window.sum()) * window
    energy = (x**2).sum((1, 2), keepdims=True)
    least = EXACT * (maps.astype(np.float64) ** 2).sum((1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(x)) ** 2 / np.where(energy > least, energy, np.nan)
    side = min(h, w)
    radius = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None, :])
    ring = np.rint(radius * side).astype(int)
    rings = np.arange(1, side // 2 + 1)
    means = [power[:, ring == r].mean(1) for r in rings]
    return rings / side, np.stack(means, axis=1)


def map_spectra(frames: Sequence[Frame]) -> tuple[Spectrum, ...]:
    """Return the spectra of the stored maps of each run, of each class where there are labels.

    Of maps of two axes of at least `LEAST` pixels, without constant ones.
    """
    spectra = []
    for frame in frames:
        shape = frame.run.columns["map"].shape if frame.has("map") else ()
        if len(shape) != 2 or min(shape) < LEAST or not len(frame):
            continue
        for label in np.unique(frame.labels).tolist():
            places = np.flatnonzero((frame.labels == label) & ~frame.constant_map)
            if len(places):
                chosen = places[:: -(-len(places) // IMAGES)]
                spectra.append(_spectrum(frame, label, chosen))
    return tuple(spectra)


def _spectrum(frame: Frame, label: int, places: np.ndarray) -> Spectrum:
    wanted, parts, start = np.zeros(len(frame), bool), [], 0
    wanted[places] = True
    frequencies = np.zeros(0)
    for part in frame.run.iterate(["map"]):
        own = part["map"][wanted[start : start + len(part["map"])]]
        start += len(part["map"])
        if len(own):
            frequencies, power = radial_power(np.nan_to_num(own))
            parts.append(power)
    with np.errstate(divide="ignore"):
        values = np.log10(np.concatenate(parts))
    values[np.isinf(values)] = np.nan  # no power at all at a frequency
    clusters = None if frame.clusters is None else frame.clusters[places]
    intervals = tuple(mean_interval(v, clusters=clusters) for v in values.T)
    name = frame.class_name(label) or "no label"
    return Spectrum(frame.run.name, frame.run.group, name, frequencies, intervals)
