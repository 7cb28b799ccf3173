"""Total variation of a map."""

import jax.numpy as jnp
from jax import lax

from salix.hyperparameters import FLAG, check_value
from salix.metrics.inputs import as_float
from salix.typing import Map, Scalar


def total_variation(map: Map, *, normalise: bool = True) -> Scalar:
    r"""Total variation of a map, the differences between neighbouring pixels.

    Normalised it is the mean of $|a_i - a_j|$ over the pairs of neighbours along each axis, of
    $a = |m| / \max |m|$: range [0, 1], 0 for a uniform map and 1 for a chequerboard, and neither
    sign nor scale matters. Otherwise it is the sum $\sum |m_i - m_j|$ over the same pairs, in the
    units of the map: the anisotropic total variation. Lower is smoother. Differentiable where
    neighbours differ. NaN for a non-finite map, and normalised for a zero map or a single pixel.

    Rudin, Osher and Fatemi (1992), doi:10.1016/0167-2789(92)90242-F.
    """
    normalise = check_value("normalise", normalise, FLAG)
    values = as_float(map)
    peak = lax.stop_gradient(jnp.abs(values).max())
    values = jnp.abs(values) if normalise else values
    differences = [jnp.abs(jnp.diff(values, axis=axis)) for axis in range(values.ndim)]
    pairs = sum(d.size for d in differences)
    if not normalise:
        total = sum((d.sum() for d in differences), jnp.zeros((), values.dtype))
        return jnp.where(jnp.isfinite(peak), total, jnp.nan)
    defined = (peak > 0) & jnp.isfinite(peak) & (pairs > 0)
    # Divided after the differences: those of equal pixels are 0 whatever the rounding.
    shares = [(d / jnp.where(peak > 0, peak, 1)).sum() for d in differences]
    return jnp.where(defined, sum(shares) / max(pairs, 1), jnp.nan)
