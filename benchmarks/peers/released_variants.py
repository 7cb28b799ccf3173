"""Variants of an 8-bit picture in the released procedure: noise, transforms and blurs.

scikit-image draws the noise; SciPy blurs each colour plane once for every level in the reference
mask, about a hundred, for each of the two conditions.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.util import random_noise

AMOUNTS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
CONDITIONS = ("background", "object")
STEP = 16  # pixels of a shift
SHIFTS = ((-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1))  # right and down
TURNS: tuple[tuple[Callable[..., Any], Callable[..., Any]], ...] = (  # transform and its inverse
    (np.fliplr, np.fliplr),
    (np.flipud, np.flipud),
    (lambda x: np.rot90(x, -1), np.rot90),
    (np.rot90, lambda x: np.rot90(x, -1)),
)
TRANSFORMS = len(TURNS) + len(SHIFTS)


def noisy(picture: np.ndarray, index: int) -> list[np.ndarray]:
    """Picture with increasing noise in 8 bits; seeded by its index, so that all variants agree."""
    pictures = []
    for level, amount in enumerate(AMOUNTS):
        rng = np.random.default_rng([index, level])
        noise = random_noise(picture, mode="s&p", amount=amount, rng=rng)
        pictures.append((255 * noise).astype(np.uint8))
    return pictures


def transformed(picture: np.ndarray) -> list[np.ndarray]:
    """Picture turned, and shifted with its edge repeated."""
    height, width = picture.shape[:2]
    wide = np.pad(picture, ((STEP, STEP), (STEP, STEP), (0, 0)), mode="edge")
    corners = [(STEP * (1 - dy), STEP * (1 - dx)) for dx, dy in SHIFTS]
    shifted = [wide[y : y + height, x : x + width] for y, x in corners]
    return [np.ascontiguousarray(p) for p in (*(turn(picture) for turn, _ in TURNS), *shifted)]


def degraded(picture: np.ndarray, reference_mask: np.ndarray) -> np.ndarray:
    """Picture blurred where its reference mask, of equal size and 8 bits, is low."""
    planes = (np.ascontiguousarray(picture[..., c]) for c in range(picture.shape[-1]))
    return np.stack([blurred(plane, reference_mask) for plane in planes], -1)


def blurred(plane: np.ndarray, reference_mask: np.ndarray) -> np.ndarray:
    """Colour plane with each pixel from a blur of its own sigma."""
    smooth, result = gaussian_filter(reference_mask, 5), plane.copy()
    levels = np.around(smooth / (smooth.max() / 10), decimals=1)
    for value in np.unique(levels):
        sigma = round(10 - value, 1) ** 4 / 10**3
        if sigma > 0:
            pixels = levels == value
            result[pixels] = gaussian_filter(plane, sigma)[pixels]
    return result
