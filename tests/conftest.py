"""Strictness for every test, and a small model and data set that several of them share."""

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp

from salix.adapters import from_nnx
from salix.data import Arrays
from salix.preprocess import Preprocess

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


class Tiny(nnx.Module):
    """One convolution with stride 2, average pooling and a linear layer: [b 16 16 3] to [b 2]."""

    def __init__(self, rngs: nnx.Rngs):
        self.convolution = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.linear = nnx.Linear(8, 2, rngs=rngs)

    def trunk(self, x):
        """Return features [b 8 8 8]."""
        return jax.nn.relu(self.convolution(x))

    def head(self, features):
        """Return logits [b 2]."""
        return self.linear(jnp.mean(features, axis=(1, 2)))


@pytest.fixture(scope="session")
def tinies():
    """Two sets of random parameters, each with the model of 16 x 16 RGB images."""
    about = {"preprocess": Preprocess((16, 16)), "name": "tiny"}
    return [from_nnx(Tiny(nnx.Rngs(seed)), **about) for seed in (0, 1)]


@pytest.fixture(scope="session")
def tiny(tinies):
    """The model and its first parameters."""
    return tinies[0]


@pytest.fixture(scope="session")
def pictures():
    """Twenty-three labelled random images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (23, 16, 16, 3), np.uint8)
    return Arrays(images, names=[("real", "fake")[i % 2] for i in range(23)])
