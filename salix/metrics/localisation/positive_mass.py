"""Share of a map's positive mass inside a reference mask or the cells of a mosaic."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from salix.hyperparameters import check_value, number
from salix.metrics.inputs import as_float, as_mass, as_share
from salix.metrics.localisation.strengths import check_shapes
from salix.typing import AnyArray, Image, InputError, Map, ReferenceMask, Scalar

LARGEST = number(lambda n: 0 < n <= 1, remedy="give a share of the pixels, in (0, 1]")


def attribution_localisation(map: Map, mask: ReferenceMask, *, largest: float = 1.0) -> Scalar:
    r"""Share of a map's positive mass inside a mask, $\sum_i m_i^+ g_i / \sum_i m_i^+$.

    $m^+ = \max(m, 0)$, and the mask g is in [0, 1], as by `relevance_mass`, which takes absolute
    values. Range [0, 1], higher is better; a uniform map scores the mask's mean. NaN for a map
    without a positive value or not finite, an empty mask, one whose mean is above `largest` (where
    any map is right), and one with a value outside [0, 1]. Raises `InputError` where shapes differ,
    or for `largest` outside (0, 1].

    Inside-total relevance ratio of Kohlbrenner et al. (2020), arXiv:1910.09840.
    """
    largest = check_value("largest", largest, LARGEST)
    ratio, share = _positive_share(map, mask)
    return jnp.where(share.mean() <= largest, ratio, jnp.nan)


def focus(map: Map, mask: ReferenceMask) -> Scalar:
    r"""Focus: the share of a map's positive mass in the cells of its class of a mosaic.

    $\sum_{i \in C} m_i^+ / \sum_i m_i^+$ for a mosaic of 2 x 2 images, two of them of the explained
    class; `mosaic` builds one and its mask of the cells C. Range [0, 1], higher is better; a
    uniform map scores 1/2. The model should explain the class of these cells, its score before the
    softmax. NaN for a map without a positive value or not finite, and for an empty mask or one with
    a value outside [0, 1]. Raises `InputError` where shapes differ.

    Arias-Duart et al. (2022), arXiv:2109.15035.
    """
    return _positive_share(map, mask)[0]


def mosaic(
    images: Float[AnyArray, "..."], explained: Bool[AnyArray, "..."]
) -> tuple[Image, Bool[Array, "y x"]]:
    """Return the mosaic of four images [4 h w c], row by row, and the mask of the flagged ones.

    `explained` flags those of the explained class, of which a mosaic for `focus` has two. Raises
    `InputError` for another number of images, or of flags.
    """
    images, explained = jnp.asarray(images), jnp.asarray(explained)
    if images.ndim != 4 or len(images) != 4 or explained.shape != (4,):
        raise InputError(
            f"a mosaic has four images [4 h w c] and four flags, not {images.shape} and "
            f"{explained.shape}: give two of the explained class and two others"
        )
    _, h, w, c = images.shape
    joined = images.reshape(2, 2, h, w, c).swapaxes(1, 2).reshape(2 * h, 2 * w, c)
    cells = explained.reshape(2, 2)
    return joined, jnp.repeat(jnp.repeat(cells, h, 0), w, 1)


def _positive_share(map: Map, mask: ReferenceMask) -> tuple[Scalar, Array]:
    """Return the share of the positive mass inside, and the mask as shares."""
    check_shapes(map, mask)
    values = as_float(map)
    mass = as_mass(jnp.where(values > 0, values, 0 * values))  # a NaN stays one, as does -inf
    share = as_share(mask).astype(mass.dtype)
    ratio = jnp.where(share.max() > 0, (mass * share).sum() / mass.sum(), jnp.nan)
    return ratio, share
