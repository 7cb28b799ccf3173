"""Radially averaged power spectra of images, by generator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.frame import Frame
from salix.analysis.generators import GeneratorRule, find_generators
from salix.stats import Interval, difference_interval, mean_interval

IMAGES = 200  # of a generator, evenly over the data


@dataclass(frozen=True, eq=False)
class GeneratorSpectrum:
    r"""Mean over the images of one generator of $\log_{10}$ of their power, with its interval.

    `power` [frequency] is over images or groups of images; `difference` is less that of the
    reference generator, None for the reference itself.
    """

    generator: str
    power: tuple[Interval, ...]
    difference: tuple[Interval, ...] | None


@dataclass(frozen=True, eq=False)
class ImageSpectra:
    """Spectra of all generators at `frequencies`, in cycles per pixel; `reference` is one of them.

    They are of the central `side` x `side` pixels of each image; `smaller` images were left out,
    and `unreadable` ones.
    """

    spectra: tuple[GeneratorSpectrum, ...]
    frequencies: np.ndarray
    reference: str
    side: int
    smaller: int
    unreadable: int


@dataclass(frozen=True, eq=False)
class CropPowers:
    """Power [image frequency] of the central crop of each image; NaN where `read` is false.

    Of the images without one, `smaller` have a shorter side than `side`.
    """

    side: int
    frequencies: np.ndarray
    power: np.ndarray
    read: np.ndarray
    smaller: int


@dataclass(frozen=True, eq=False)
class SpectrumImages:
    """Ids of the images whose spectra are compared, their generators, clusters and classes."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    codes: np.ndarray
    clusters: np.ndarray | None
    labels: np.ndarray


def choose_spectrum_images(frames: Sequence[Frame], by: GeneratorRule = "subset") -> SpectrumImages:
    """Choose up to `IMAGES` images of each generator, evenly over the data of all runs.

    An image that several runs measured is that of the first. Raises `InputError` where
    `find_generators` does.
    """
    generators = find_generators(frames, by)
    rows: dict[str, tuple[int, str, int]] = {}
    for n, frame in enumerate(frames):
        own = generators.clusters[n]
        names = range(len(frame)) if own is None else own.tolist()
        each = zip(frame.ids, generators.codes[n], names, frame.labels, strict=True)
        for id, code, cluster, label in each:
            if code >= 0:
                # Clusters of other data are other ones, though their codes may be equal.
                rows.setdefault(str(id), (int(code), f"{n} {cluster}", int(label)))
    ids, codes = list(rows), np.array([row[0] for row in rows.values()], int)
    places = [np.flatnonzero(codes == code) for code in range(len(generators.names))]
    chosen = np.concatenate([p[:: max(1, -(-len(p) // IMAGES))] for p in places]).astype(int)
    clustered = any(own is not None for own in generators.clusters)
    texts = [rows[ids[i]][1] for i in chosen]
    return SpectrumImages(
        tuple(ids[i] for i in chosen),
        generators.names,
        codes[chosen],
        np.unique(texts, return_inverse=True)[1].reshape(-1) if clustered and texts else None,
        np.array([rows[ids[i]][2] for i in chosen], int),
    )


def image_spectra(images: SpectrumImages, crops: CropPowers) -> ImageSpectra | None:
    r"""Return the spectra of the central crops of some images.

    $\log_{10}$ of `radial_power`: of the crop less its mean, through a Hann window, divided by its
    variance, so that white noise has 0. The reference is the first generator whose images are all
    of class 0, or the first of all. None where no image was read.

    Azimuthal averages as in Durall, Keuper and Keuper (2020), arXiv:2003.01826, and Dzanic, Shah
    and Witherden (2020), arXiv:1911.06465, with a window.
    """
    with np.errstate(divide="ignore"):
        values = np.log10(crops.power)
    values[np.isinf(values)] = np.nan  # no power at all at a frequency
    powers: dict[int, tuple[Interval, ...]] = {}
    for code in range(len(images.names)):
        own = crops.read & (images.codes == code)
        if own.any():
            named = None if images.clusters is None else images.clusters[own]
            powers[code] = tuple(mean_interval(v, clusters=named) for v in values[own].T)
    if not powers:
        return None
    zero = [code for code in powers if (images.labels[images.codes == code] == 0).all()]
    reference = (zero or list(powers))[0]
    spectra = tuple(
        GeneratorSpectrum(
            images.names[code],
            power,
            None
            if code == reference
            else tuple(map(difference_interval, power, powers[reference])),
        )
        for code, power in powers.items()
    )
    return ImageSpectra(
        spectra,
        crops.frequencies,
        images.names[reference],
        crops.side,
        crops.smaller,
        int((~crops.read).sum()) - crops.smaller,
    )
