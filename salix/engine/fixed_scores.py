"""Rows of images whose score is fixed, as those without a face: no network decides them."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import logit

FIXED = "fixed_score"  # leaf of an example: probability of the second class, NaN without one


def with_fixed_score(
    row: dict[str, Any], probability: jax.Array, *, targeted: bool
) -> dict[str, Any]:
    """Return a row of two classes as it is, or, where `probability` is a number, with that score.

    The logits are then 0 and the log odds of the probability; the map is a constant one, and all
    numbers of the map and of the measures are NaN. If `targeted` the target is the predicted class.
    """
    is_fixed = ~jnp.isnan(probability)
    logits = jnp.stack([jnp.zeros_like(probability), logit(probability)])
    predicted = jnp.argmax(logits).astype(jnp.int32)
    known = {"logits": logits, "predicted": predicted, "constant_map": True, "finite": True}
    known["target"] = predicted if targeted else row["target"]
    arrays = {name: jnp.asarray(value) for name, value in row.items()}
    fixed = {n: jnp.asarray(known.get(n, _missing(a)), a.dtype) for n, a in arrays.items()}
    return {name: jnp.where(is_fixed, fixed[name], array) for name, array in arrays.items()}


def _missing(value: jax.Array) -> Any:
    if jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.nan
    return -1 if jnp.issubdtype(value.dtype, jnp.signedinteger) else 0
