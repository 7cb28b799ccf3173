"""The variants of a picture that the released procedure explains, made of 8 bits into 8 bits.

scikit-image draws the noise, SciPy blurs: each plane once for every level of blur in its reference mask,
about a hundred, for each of the two conditions.
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
TURNS: tuple[tuple[Callable[..., Any], Callable[..., Any]], ...] = (  # there and back
    (np.fliplr, np.fliplr),
    (np.flipud, np.flipud),
    (lambda x: np.rot90(x, -1), np.rot90),
    (np.rot90, lambda x: np.rot90(x, -1)),
)
TRANSFORMS = len(TURNS) + len(SHIFTS)


def noisy(picture: np.ndarray, at: int) -> list[np.ndarray]:
    """Return a picture under growing noise, cut to 8 bits; seeded, so that all variants agree."""
    found = []
    for level, amount in enumerate(AMOUNTS):
        rng = np.random.default_rng([at, level])
        noise = random_noise(picture, mode="s&p", amount=amount, rng=rng)
        found.append((255 * noise).astype(np.uint8))
    return found


def transformed(picture: np.ndarray) -> list[np.ndarray]:
    """Return a picture turned, and shifted with its edge repeated."""
    height, width = picture.shape[:2]
    wide = np.pad(picture, ((STEP, STEP), (STEP, STEP), (0, 0)), mode="edge")
    corners = [(STEP * (1 - dy), STEP * (1 - dx)) for dx, dy in SHIFTS]
    shifted = [wide[y : y + height, x : x + width] for y, x in corners]
    return [np.ascontiguousarray(p) for p in (*(turn(picture) for turn, _ in TURNS), *shifted)]


def degraded(picture: np.ndarray, reference_mask: np.ndarray) -> np.ndarray:
    """Return a picture blurred where its reference mask, as large and of 8 bits, is low."""
    planes = (np.ascontiguousarray(picture[..., c]) for c in range(picture.shape[-1]))
    return np.stack([blurred(plane, reference_mask) for plane in planes], -1)


def blurred(plane: np.ndarray, reference_mask: np.ndarray) -> np.ndarray:
    """Return a plane whose pixels each take the value of the plane blurred by their own sigma."""
    smooth, found = gaussian_filter(reference_mask, 5), plane.copy()
    kept = np.around(smooth / (smooth.max() / 10), decimals=1)
    for value in np.unique(kept):
        sigma = round(10 - value, 1) ** 4 / 10**3
        if sigma > 0:
            there = kept == value
            found[there] = gaussian_filter(plane, sigma)[there]
    return found
