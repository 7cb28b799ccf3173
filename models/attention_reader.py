"""Text recogniser with an attention decoder: one output for each position of a word."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.compact_crnn import CompactCRNN
from salix.models.recurrent import BiGRU
from salix.nn.layers import draw_normal
from salix.typing import AnyArray

WIDTH = 128


class AttentionReader(nnx.Module):
    r"""Convolutions of `CompactCRNN`, a bidirectional GRU of 128, and a query for each position.

    Logits of position i are those of its glimpse $\sum_t \mathrm{softmax}_t(q_i \cdot k_t / \sqrt
    d) v_t$ of the frames t, all positions at once. Images [b 32 w 1] in [-1, 1], features
    [b 1 w/4 192], logits [b positions classes]; the first class ends the word.

    Parallel attention as in Yu et al. (2020), SRN, CVPR, sec. 3.2.
    """

    def __init__(self, classes: int, positions: int, rngs: nnx.Rngs):
        self.trunk = CompactCRNN(1, rngs)
        self.rnn = BiGRU(192, WIDTH, rngs=rngs)
        self.queries = nnx.Param(draw_normal(rngs, (positions, WIDTH), 1.0))
        self.keys = nnx.Linear(2 * WIDTH, WIDTH, rngs=rngs)
        self.values = nnx.Linear(2 * WIDTH, WIDTH, rngs=rngs)
        self.head = nnx.Linear(WIDTH, classes, rngs=rngs)

    def features(self, x: Float[AnyArray, "b 32 w 1"]) -> Float[Array, "b 1 t 192"]:
        """Return the features of the convolutions."""
        return self.trunk.features(x)

    def attend(
        self, features: Float[AnyArray, "b 1 t 192"]
    ) -> tuple[Float[Array, "b n classes"], Float[Array, "b t n"]]:
        """Return the logits of each position, and its weights of the frames, which add up to 1."""
        frames = self.rnn(features[:, 0])
        products = self.keys(frames) @ self.queries[...].T / math.sqrt(WIDTH)
        weights = jax.nn.softmax(products, axis=1)
        glimpses = jnp.einsum("btn,btd->bnd", weights, self.values(frames))
        return self.head(glimpses), weights

    def classify(self, features: Float[AnyArray, "b 1 t 192"]) -> Float[Array, "b n classes"]:
        """Return the logits of each position."""
        return self.attend(features)[0]

    def __call__(self, x: Float[AnyArray, "b 32 w 1"]) -> Float[Array, "b n classes"]:
        """Return the logits of each position of images."""
        return self.classify(self.features(x))
