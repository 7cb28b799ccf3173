r"""Masks of forgeries: named and random regions with feathered edges, and blending by a mask."""

import numpy as np
from jaxtyping import Float, Shaped, UInt8

# Top, bottom, left, right as fractions of an aligned face; each about a quarter of the image.
REGIONS = {
    "eyes": (0.14, 0.42, 0.06, 0.94),
    "middle": (0.30, 0.74, 0.22, 0.78),
    "mouth": (0.58, 0.88, 0.08, 0.92),
    "left": (0.14, 0.86, 0.06, 0.40),
    "right": (0.14, 0.86, 0.60, 0.94),
}
FEATHER = 0.06  # width of a random mask's edge, as a fraction of the shorter side


def region_mask(region: str, side: int, feather: float = 0.03) -> Float[np.ndarray, "s s"]:
    """Return the mask of a region in an image of `side` pixels: 1 inside, 0 outside.

    Its edge is a Gaussian step of standard deviation `feather`, a fraction of the side.
    """
    from scipy.special import ndtr

    top, bottom, left, right = REGIONS[region]
    centres = (np.arange(side) + 0.5) / side
    rows = ndtr((centres - top) / feather) * ndtr((bottom - centres) / feather)
    columns = ndtr((centres - left) / feather) * ndtr((right - centres) / feather)
    return np.outer(rows, columns)


def random_mask(height: int, width: int, rng: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Return the mask of a random region: an ellipse with a wavy outline, 1 inside, 0 outside.

    It is near the centre and covers 7 to 25 % of a square image. Its edge is a cubic step inside
    the outline, about 6 % of the shorter side wide.
    """
    side = min(height, width)
    y, x = (
        ((np.arange(n) + 0.5) / n - rng.uniform(0.35, 0.65)) * n / side for n in (height, width)
    )
    turn = rng.uniform(0, np.pi)
    axes = rng.uniform(0.15, 0.28, 2)
    u = (np.cos(turn) * x + np.sin(turn) * y[:, None]) / axes[0]
    v = (np.cos(turn) * y[:, None] - np.sin(turn) * x) / axes[1]
    angle, outline = np.arctan2(v, u), np.ones((height, width))
    for waves in (2, 3, 4):
        outline += rng.uniform(0, 0.1) * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    depth = np.clip((outline - np.hypot(u, v)) * axes.min() / FEATHER, 0, 1)
    return depth * depth * (3 - 2 * depth)


def blend(
    face: UInt8[np.ndarray, "h w *c"],
    regenerated: Shaped[np.ndarray, "h w *c"],
    mask: Float[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w *c"]:
    r"""Return $m\,r + (1 - m)\,f$ in 8 bits: the face with its masked part replaced."""
    weight = mask.reshape(mask.shape + (1,) * (face.ndim - 2))
    mixed = np.rint(weight * regenerated + (1 - weight) * face)
    return np.clip(mixed, 0, 255).astype(np.uint8)
