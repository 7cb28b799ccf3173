"""Forgeries with a known region: part of a real face replaced by a re-generated one.

The region is computed, not marked by people: it is where a detector ought to look.
"""

import numpy as np
from jaxtyping import Float, UInt8

# Top, bottom, left, right as fractions of an aligned face; each about a quarter of the image.
REGIONS = {
    "eyes": (0.14, 0.42, 0.06, 0.94),
    "middle": (0.30, 0.74, 0.22, 0.78),
    "mouth": (0.58, 0.88, 0.08, 0.92),
    "left": (0.14, 0.86, 0.06, 0.40),
    "right": (0.14, 0.86, 0.60, 0.94),
}


def region_mask(region: str, side: int, feather: float = 0.03) -> Float[np.ndarray, "s s"]:
    """Return the mask of a region in an image of `side` pixels: 1 inside, 0 outside.

    Its edge is a Gaussian step of standard deviation `feather`, a fraction of the side.
    """
    from scipy.special import ndtr

    top, bottom, left, right = REGIONS[region]
    at = (np.arange(side) + 0.5) / side
    rows = ndtr((at - top) / feather) * ndtr((bottom - at) / feather)
    columns = ndtr((at - left) / feather) * ndtr((right - at) / feather)
    return np.outer(rows, columns)


def blend(
    face: UInt8[np.ndarray, "s s"],
    regenerated: UInt8[np.ndarray, "s s"],
    mask: Float[np.ndarray, "s s"],
) -> UInt8[np.ndarray, "s s"]:
    r"""Return $m\,r + (1 - m)\,f$ in 8 bits: the face with its masked part re-generated."""
    return np.rint(mask * regenerated + (1 - mask) * face).astype(np.uint8)
