"""Images whose pixels replace removed ones in metrics: the fills, and those of released codes."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from salix.hyperparameters import check_value, choice
from salix.perturb.fills import FILLS, fill_image
from salix.typing import Image, PRNGKey

REPLACEMENTS = (*FILLS, "kernel")
SIDE, SIGMA = 11, 5  # of the kernel that RISE's insertion blurs with


def replace_pixels(image: Image, key: PRNGKey, fill: str, *, black: Any = 0.0) -> Image:
    """Return an image whose pixels replace removed ones, by a name of `REPLACEMENTS`.

    As `fill_image`; and "kernel", the image blurred as the released code of RISE does, by 11 pixels
    along each axis with zeros beyond the edges. Raises `InputError` for another `fill`.
    """
    if check_value("fill", fill, choice(REPLACEMENTS)) != "kernel":
        return fill_image(image, key, fill, black=black)
    x, weights = jnp.asarray(image), rise_kernel()
    for axis in range(x.ndim - 1):
        side = x.shape[axis]
        offset = np.arange(side)[:, None] - np.arange(side) + SIDE // 2
        inside = (offset >= 0) & (offset < SIDE)
        matrix = np.where(inside, weights[np.clip(offset, 0, SIDE - 1)], 0)
        blurred = jnp.tensordot(
            jnp.asarray(matrix, x.dtype), x, (1, axis), precision=lax.Precision.HIGHEST
        )
        x = jnp.moveaxis(blurred, 0, axis)
    return x


def rise_kernel() -> Float[np.ndarray, " side"]:
    """Return the released weights along one axis: an impulse of 11 pixels blurred with sigma 5.

    The blur mirrors its tails at the ends of the 11 pixels, so that the kernel is nearly flat.
    """
    offset = np.arange(-4 * SIGMA, 4 * SIGMA + 1)
    gauss = np.exp(-(offset**2) / (2 * SIGMA**2))
    place = (offset + SIDE // 2) % (2 * SIDE)  # of a period of the mirrored pixels
    mirrored = np.where(place < SIDE, place, 2 * SIDE - 1 - place)
    return np.bincount(mirrored, gauss / gauss.sum(), SIDE)
