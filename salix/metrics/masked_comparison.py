"""How alike two maps are where both are defined: maps of which one was moved."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.stats import rankdata
from jaxtyping import Array, Bool, Num

from salix.metrics import pearson
from salix.metrics.arrays import as_pair
from salix.metrics.comparison import Similarity
from salix.metrics.structure import ssim_map
from salix.typing import AnyArray, Map, Scalar

Where = Bool[AnyArray, "h w"]
Range = float | int | Num[AnyArray, ""]


def similarity_where(similarity: Similarity, a: Map, b: Map, valid: Where) -> Scalar:
    """Compare the cells of two maps [h w] that are `valid`, by the kind of a `Similarity`.

    The maps are in the bits and on the grid in which they are compared. SSIM is averaged over the
    windows that are valid as a whole. Range [-1, 1]; NaN where nothing is valid or a correlation is
    not defined.
    """
    if similarity.kind == "ssim":
        return ssim_where(a, b, valid, similarity.fitting(a.shape), similarity.data_range)
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


def _mean(values: Array, valid: Where) -> Scalar:
    count = valid.sum().astype(values.dtype)
    total = jnp.where(valid, values, 0).sum()
    return jnp.where(count > 0, total / jnp.maximum(count, 1), jnp.nan)


def _ranks(map: Array) -> Array:
    # a NaN makes every rank NaN
    return rankdata(map.ravel(), nan_policy="propagate").astype(map.dtype).reshape(map.shape)
