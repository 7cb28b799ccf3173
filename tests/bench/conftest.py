"""A small network of Salix's own convolutions, and models that lack something."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from salix.adapters import from_function, from_nnx
from salix.nn import Conv
from salix.preprocess import Preprocess

NORMAL = Preprocess((16, 16), mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3))


class Net(nnx.Module):
    """Two convolutions, average pooling and a linear layer: [b 16 16 3] to [b 3]."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = Conv(3, 16, 3, bias=True, rngs=rngs)
        self.second = Conv(16, 8, 3, bias=True, rngs=rngs)
        self.linear = nnx.Linear(8, 3, rngs=rngs)

    def trunk(self, x):
        """Return features [b 16 16 8]."""
        return jax.nn.relu(self.second(jax.nn.relu(self.first(x))))

    def head(self, features):
        """Return logits [b 3]."""
        return self.linear(features.mean((1, 2)))


@pytest.fixture(scope="session")
def net():
    """The network as a model, and its parameters."""
    about = {"preprocess": NORMAL, "classes": ("a", "b", "c"), "name": "net"}
    model, params = from_nnx(Net(nnx.Rngs(0)), **about)
    # Without biases the gradient would be the same all along the path to a baseline of zeros.
    return model, jax.tree.map(lambda a: a + 0.02, params)


@pytest.fixture(scope="session")
def bare():
    """A model that is a plain function, without features, and its parameters."""
    matrix = jnp.linspace(-1, 1, 2 * 16 * 16 * 3, dtype=jnp.float32).reshape(-1, 2)
    return from_function(
        lambda matrix, image: image.reshape(-1) @ matrix, matrix, preprocess=NORMAL, name="bare"
    )


@pytest.fixture(scope="session")
def pooled():
    """A model of which the features are a vector."""
    return from_function(
        lambda matrix, features: features @ matrix,
        jnp.ones((3, 2), jnp.float32),
        trunk=lambda matrix, image: image.mean((0, 1)),
        preprocess=NORMAL,
        name="pooled",
    )
