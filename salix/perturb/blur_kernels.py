"""Gaussian kernels of 101 levels of blur, from none to a sigma of ten pixels, and their basis.

A level b is a whole number from 0 to 100, and its sigma $(b / 10)^4 / 10^3$ pixels: the quartic
curve of Crum et al. (2023), arXiv:2303.11969. Kernels are those of SciPy's `gaussian_filter`, cut
at four sigma. Sums of the image and 16 of its blurs are every level within `BASIS_ERROR`.
"""

from functools import cache

import numpy as np
from jaxtyping import Float

LEVELS = 101
# Levels whose kernels, with the image itself, span those of all levels: chosen one by one where
# the error was largest, then exchanged with their neighbours while that lowered it.
BASIS = (47, 50, 54, 55, 59, 62, 65, 68, 72, 75, 80, 84, 89, 93, 97, 100)
# Most that a level of `basis_weights` may differ from its blur, as a share of the image's range:
# half the sum of absolute differences of the kernels. 2e-5 of the deviation of white noise.
BASIS_ERROR = 1.4e-4


def level_sigma(level: int) -> float:
    """Return the sigma of a level, in pixels."""
    return (1 / 10**3) * round(level / 10, 1) ** 4


def kernel_radius(sigma: float) -> int:
    """Return the radius of a kernel in pixels: four sigma, rounded."""
    return int(4 * sigma + 0.5)


def gaussian_kernel(sigma: float, reach: int) -> Float[np.ndarray, " taps"]:
    """Return the weights of a Gaussian over 2 reach + 1 pixels, zero beyond its own radius."""
    position, radius = np.arange(-reach, reach + 1), kernel_radius(sigma)
    if radius == 0:
        return (position == 0).astype(float)
    weights = np.where(np.abs(position) <= radius, np.exp(-0.5 / sigma**2 * position**2), 0)
    return weights / weights.sum()


BLURRING = tuple(b for b in range(LEVELS) if kernel_radius(level_sigma(b)) > 0)


@cache
def basis_weights() -> Float[np.ndarray, "levels image_and_basis"]:
    """Return the weights of the image and of its blurs of `BASIS` whose sum is a level's blur.

    Least squares of the kernels in two dimensions, in 64 bits.
    """
    reach = kernel_radius(level_sigma(LEVELS - 1))
    halves = [gaussian_kernel(level_sigma(b), reach)[reach:] for b in range(LEVELS)]
    first, second = np.triu_indices(reach + 1)  # a kernel is equal in eight octants
    axes = np.where(np.arange(reach + 1) > 0, 2.0, 1.0)
    counts = axes[first] * axes[second] * np.where(first == second, 1, 2)
    kernels = np.array([k[first] * k[second] * np.sqrt(counts) for k in halves])
    return np.linalg.lstsq(kernels[[0, *BASIS]].T, kernels.T, rcond=None)[0].T
