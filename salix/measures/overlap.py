"""How alike two maps are where both are defined: maps of which one was moved."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.stats import rankdata
from jaxtyping import Array, Bool, Float, Num

from salix.measures.similarity import Similarity
from salix.metrics import pearson
from salix.metrics.arrays import as_pair
from salix.typing import AnyArray, InputError, Map, Scalar

Where = Bool[AnyArray, "h w"]
Range = float | int | Num[AnyArray, ""]


def similarity_where(similarity: Similarity, a: Map, b: Map, valid: Where) -> Scalar:
    """Compare the cells of two maps [h w] that are `valid`, by the kind of a `Similarity`.

    The maps are in the bits and on the grid in which they are compared. SSIM is averaged over the
    windows that are valid as a whole. Range [-1, 1]; NaN where nothing is valid or a correlation is
    not defined.
    """
    if similarity.kind == "ssim":
        window = min(similarity.window, (min(a.shape) - 1) // 2 * 2 + 1)
        return ssim_where(a, b, valid, window, 255 if similarity.eight_bit else 1)
    x, y = as_pair(a, b)
    if similarity.kind == "spearman":
        # Cells that are not valid share the last rank, and do not touch those of the others.
        x, y = (_ranks(jnp.where(valid, map, jnp.inf)) for map in (x, y))
    # A cell at the mean adds nothing to a covariance.
    x, y = (jnp.where(valid, map, _mean(map, valid)) for map in (x, y))
    return pearson(x, y)


def ssim_where(a: Map, b: Map, valid: Where, window: int, data_range: Range) -> Scalar:
    """Average `ssim_map` over the windows that are `valid` as a whole; NaN if none is."""
    size = (window, window)
    whole = lax.reduce_window(valid, np.True_, lax.bitwise_and, size, (1, 1), "VALID")
    return _mean(ssim_map(a, b, window, data_range), whole)


def ssim_map(a: Map, b: Map, window: int, data_range: Range) -> Float[Array, "rows columns"]:
    r"""Structural similarity in each window that lies inside two maps [h w].

    $\frac{(2\mu_a\mu_b + C_1)(2 s_{ab} + C_2)}{(\mu_a^2 + \mu_b^2 + C_1)(s_a^2 + s_b^2 + C_2)}$
    with sample covariances, $C_1 = (0.01 L)^2$, $C_2 = (0.03 L)^2$, L = `data_range`: what
    `metrics.ssim` averages. Raises `InputError` where shapes differ or the window does not fit.

    Wang et al. (2004), doi:10.1109/TIP.2003.819861, eq. 13, with the window of scikit-image.
    """
    x, y = as_pair(a, b)
    if window < 2 or min(x.shape) < window:
        raise InputError(f"a window of {window} does not fit maps of shape {x.shape}")
    scale = jnp.asarray(data_range, x.dtype)
    c1, c2 = (0.01 * scale) ** 2, (0.03 * scale) ** 2
    # Covariances do not see an offset; without the mean of each map less is lost to rounding.
    offset_x, offset_y = x.mean(), y.mean()
    x, y = x - offset_x, y - offset_y
    sample = window**2 / (window**2 - 1)
    mx, my = _windows(x, window), _windows(y, window)
    vx = sample * (_windows(x * x, window) - mx * mx)
    vy = sample * (_windows(y * y, window) - my * my)
    vxy = sample * (_windows(x * y, window) - mx * my)
    ux, uy = mx + offset_x, my + offset_y
    luminance = (2 * ux * uy + c1) / (ux * ux + uy * uy + c1)
    return luminance * (2 * vxy + c2) / (vx + vy + c2)


def _windows(x: Array, window: int) -> Array:
    zero = np.zeros((), x.dtype)
    for size in ((window, 1), (1, window)):
        x = lax.reduce_window(x, zero, lax.add, size, (1, 1), "VALID") / window
    return x


def _mean(values: Array, valid: Where) -> Scalar:
    count = valid.sum().astype(values.dtype)
    total = jnp.where(valid, values, 0).sum()
    return jnp.where(count > 0, total / jnp.maximum(count, 1), jnp.nan)


def _ranks(map: Array) -> Array:
    # a NaN makes every rank NaN
    return rankdata(map.ravel(), nan_policy="propagate").astype(map.dtype).reshape(map.shape)
