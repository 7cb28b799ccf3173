"""Sizes, arithmetic and activations of vision transformers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

from salix.typing import AnyArray


def quick_gelu(x: AnyArray) -> Array:
    """Return x sigmoid(1.702 x), the activation of OpenAI's CLIP."""
    return jnp.asarray(x) * jax.nn.sigmoid(np.float32(1.702) * x)


def gelu(x: AnyArray) -> Array:
    """Return x times the normal distribution function of x."""
    return jax.nn.gelu(jnp.asarray(x), approximate=False)


def tanh_gelu(x: AnyArray) -> Array:
    """Return the approximation of `gelu` by a hyperbolic tangent."""
    return jax.nn.gelu(jnp.asarray(x), approximate=True)


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes and arithmetic of a vision transformer.

    `pool` is the input of the classifier: "token" the class token, "mean" the mean of all patches,
    "both" the class token beside that mean; normalised, and of "token" projected where `embedding`
    is its width.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    patch: int = 16
    grid: int = 14  # of the images that the positions were trained for
    hidden: int | None = None  # width within a perceptron; None: four times the width
    activation: Callable[[Any], Array] = gelu
    epsilon: float = 1e-6
    pool: Literal["token", "mean", "both"] = "token"
    norm_before: bool = False  # a normalisation of the tokens before the first block
    patch_bias: bool = True
    layer_scale: bool = False
    registers: int = 0
    embedding: int | None = None

    @property
    def extra(self) -> int:
        """The number of tokens that are no patches."""
        return 0 if self.pool == "mean" else 1 + self.registers

    def norm(self, rngs: nnx.Rngs) -> nnx.LayerNorm:
        """Return a normalisation of tokens."""
        return nnx.LayerNorm(self.width, epsilon=self.epsilon, use_fast_variance=False, rngs=rngs)
