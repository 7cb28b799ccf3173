"""Choice of the channels that vary most over the grid, for methods with a pass for each."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from salix.hyperparameters import integer, optional
from salix.typing import Features, InputError, Passes

CHANNELS = optional(integer(1), remedy="give a number of channels, 1 or more, or None for all")


def strong_channels(features: Features, channels: int | None) -> Int[Array, " n"]:
    """Return the indices of the `channels` of largest variance over the grid, all for None."""
    features = jnp.asarray(features)
    count = features.shape[-1]
    if channels is None or channels >= count:
        return jnp.arange(count)
    return jax.lax.top_k(features.var(tuple(range(features.ndim - 1))), channels)[1]


def weigh_channels(
    features: Float[Array, "*grid k"], channels: Int[Array, " n"], weights: Float[Array, " n"]
) -> Float[Array, "*grid 1"]:
    """Return the weighted sum of some channels, with one channel."""
    scattered = jnp.zeros(features.shape[-1], features.dtype)
    scattered = scattered.at[channels].set(weights.astype(features.dtype))
    everywhere = jnp.expand_dims(scattered, tuple(range(features.ndim - 1)))
    return (features * everywhere).sum(-1, keepdims=True)


def channel_passes(method: Any) -> Passes:
    """Return an evaluation for each of a method's `channels`; `InputError` where they are None."""
    if method.channels is None:
        name = type(method).__name__
        raise InputError(
            f"{name}() evaluates the model once for each channel of the trunk, whose number is the "
            f"model's: its cost is known for {name}(channels=...)"
        )
    return Passes(evaluations=method.channels)
