"""Trivial detectors of fakes, as baselines for trained ones."""

import numpy as np
from jaxtyping import Float, UInt8


def sharpness(pixels: UInt8[np.ndarray, "n s s"]) -> Float[np.ndarray, " n"]:
    """Return the variance of each image's Laplacian, which is low for smooth fakes."""
    from scipy.ndimage import laplace

    return np.array([laplace(image.astype(np.float64)).var() for image in pixels])
