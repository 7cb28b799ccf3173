"""Multi-head dot-product attention in the form that suits the device."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from salix.nn.conv import active_form
from salix.typing import AnyArray

WINDOW = 32  # elements that XLA on the CPU reduces at once


def attention(
    queries: Float[AnyArray, "b q h d"],
    keys: Float[AnyArray, "b n h d"],
    values: Float[AnyArray, "b n h d"],
    *,
    bias: Float[AnyArray, "#b h q n"] | None = None,
) -> Float[Array, "b q h d"]:
    r"""Return $\sum_n softmax_n(q \cdot k_n / \sqrt d) v_n$ of each head (arXiv:1706.03762, eq. 1).

    `bias` is added to the products before the softmax. Where convolutions are "explicit", the heads
    come first, exponentials are summed as a product with ones, and the weighted sum is divided
    instead of the weights: half the time on a CPU.

    The factor of the values has the name "attention" in the traced program, by which methods such
    as `AttentionRollout` find it; a name is no operation.
    """
    queries, keys, values = map(jnp.asarray, (queries, keys, values))
    if active_form() == "xla":
        return jax.nn.dot_product_attention(queries, keys, values, bias=bias)
    scale = jnp.asarray(queries.shape[-1] ** -0.5, queries.dtype)
    q, k, v = (x.transpose(0, 2, 1, 3) for x in (queries * scale, keys, values))
    products = q @ k.transpose(0, 1, 3, 2)
    products = products if bias is None else products + jnp.asarray(bias)
    powers = jnp.exp(products - lax.stop_gradient(_max_of_last(products)))
    totals = powers @ jnp.ones((1, 1, powers.shape[-1], 1), powers.dtype)
    weights = checkpoint_name(powers, "attention")  # times the totals
    return (weights @ v / totals).transpose(0, 2, 1, 3)


def _max_of_last(x: Array) -> Array:
    """Return the maximum over the last dimension, [..., 1], by halving.

    Without its library XLA on the CPU would first reduce windows, which is slow.
    """
    n = x.shape[-1]
    while n > WINDOW:
        half = -(-n // 2)
        x, n = jnp.maximum(x[..., :half], x[..., n - half :]), half
    return x.max(-1, keepdims=True)
