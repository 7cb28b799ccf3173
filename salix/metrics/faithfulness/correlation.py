"""Correlations over the valid entries of two lists of numbers."""

import jax.numpy as jnp
from jax.scipy.stats import rankdata
from jaxtyping import Array, Bool, Float

from salix.typing import AnyArray, Scalar

Entries = Float[AnyArray, " n"]


def correlate(a: Entries, b: Entries, valid: Bool[AnyArray, " n"]) -> Scalar:
    """Return the Pearson correlation of the valid entries, NaN where either list is constant."""
    return jnp.clip((_standardise(a, valid) * _standardise(b, valid)).sum(), -1, 1)


def correlate_ranks(a: Entries, b: Entries, valid: Bool[AnyArray, " n"]) -> Scalar:
    """Return the Spearman correlation of the valid entries: equal ones share their mean rank."""
    # Invalid entries come last, and take no rank from the others.
    first, second = (rankdata(jnp.where(valid, x, jnp.inf)).astype(x.dtype) for x in (a, b))
    finite = (jnp.isfinite(a) & jnp.isfinite(b) | ~valid).all()
    return jnp.where(finite, correlate(first, second, valid), jnp.nan)


def _standardise(x: Entries, valid: Bool[AnyArray, " n"]) -> Array:
    """Centre on 0 and divide by the norm; NaN for a constant, as the range tells exactly."""
    low = jnp.where(valid, x, jnp.inf).min()
    span = jnp.where(valid, x, -jnp.inf).max() - low
    unit = jnp.where(valid, (x - low) / jnp.where(span > 0, span, jnp.nan), 0)
    centred = jnp.where(valid, unit - unit.sum() / valid.sum().astype(x.dtype), 0)
    # A constant has no valid unit: its NaN must not vanish with a list of none.
    return jnp.where(span > 0, centred / jnp.sqrt((centred * centred).sum()), jnp.nan)
