"""XRAI's segmentation: Felzenszwalb's graph-based segments at several scales."""

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int


def felzenszwalb_levels(
    image: Float[np.ndarray, "h w c"],
    *,
    scales: Sequence[float] = (50, 100, 150, 250, 500, 1200),
    sigma: float = 0.8,
    least_size: int = 150,
) -> Int[np.ndarray, "levels h w"]:
    """Segment one image at several scales: labels from 1, unique over the levels.

    The image is scaled by its own range to [-1, 1] and resized to 224 x 224 (bicubic, with
    anti-aliasing), which is what the scales refer to; labels return to its size by nearest
    neighbours. A constant image is one segment a level. Segments of small images may have no pixel.

    Felzenszwalb and Huttenlocher (2004), doi:10.1023/B:VISI.0000022288.19776.77; settings of
    Kapishnikov et al. (2019), arXiv:1906.02825, and its released code.
    """
    from skimage.segmentation import felzenszwalb
    from skimage.transform import resize

    low, high = image.min(), image.max()
    unit = (image - low) / (high - low) * 2 - 1 if high > low else np.zeros_like(image)
    small = resize(unit, (224, 224), order=3, mode="constant", anti_aliasing=True)
    rows, columns = (_nearest(length) for length in image.shape[:2])
    levels, count = [], 0
    for scale in scales:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # more than three channels
            labels = felzenszwalb(small, scale=scale, sigma=sigma, min_size=least_size)
        levels.append(labels[rows][:, columns] + count + 1)
        count += int(labels.max()) + 1
    return np.stack(levels)


def _nearest(length: int) -> np.ndarray:
    """Return the nearest of 224 places for each of `length`."""
    from skimage.transform import resize

    places = np.arange(224.0)[:, None]
    nearest = resize(places, (length, 1), order=0, mode="constant", anti_aliasing=False)
    return np.asarray(nearest, int)[:, 0]
