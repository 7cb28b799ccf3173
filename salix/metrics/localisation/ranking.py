"""Area under the ROC curve of a map as a score for the pixels of a reference mask."""

import jax.numpy as jnp
from jax import lax

from salix.metrics.localisation.strengths import count_pixels, map_strengths
from salix.metrics.similarity import rank_values
from salix.typing import Map, ReferenceMask, Scalar


def localisation_auc(map: Map, mask: ReferenceMask) -> Scalar:
    r"""Area under the ROC curve of a map as a score for the pixels of a mask.

    The probability that a pixel inside the mask has a higher value than one outside, ties counting
    one half: $\frac{1}{2} + \sum_{i \in G} (r_i - \frac{n + 1}{2}) / (|G| (n - |G|))$ with $r_i$
    the rank of a pixel among all n, and G where the mask is above one half. Signed values rank by
    their sign. Range [0, 1], higher is better; 1/2 for a uniform or random map; the positive scale
    does not matter. The gradient is 0. NaN for a zero or non-finite map, a mask nowhere or
    everywhere above one half, and a mask with a value outside [0, 1]. Raises `InputError` where
    shapes differ.

    Fawcett (2006), doi:10.1016/j.patrec.2005.10.010.
    """
    strength, inside, defined = map_strengths(map, mask)
    ranks = rank_values(lax.stop_gradient(jnp.asarray(map))).astype(strength.dtype)
    area = count_pixels(inside, strength)
    centred = jnp.where(inside, ranks - (strength.size + 1) / 2, 0).sum()
    pairs = area * (strength.size - area)
    return jnp.where(defined & (pairs > 0), 0.5 + centred / pairs, jnp.nan)
