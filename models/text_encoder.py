"""Text encoders of the shapes BERT, RoBERTa and MPNet, and the embedding of a sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from salix.models.transformer_config import gelu
from salix.models.vit import Attention
from salix.nn import Linear
from salix.nn.layers import draw_normal
from salix.typing import AnyArray

BUCKETS, DISTANCE = 32, 128  # of MPNet's relative positions
MASKED = -1e9  # product of a query with padding: its exponential is 0 beside any other


@dataclass(frozen=True, kw_only=True)
class TextEncoderConfig:
    """Sizes and arithmetic of a text encoder.

    `positions` is the number of tokens that it can read. Position embeddings begin at row `offset`
    of their table, which has `offset` rows more; `types` is the number of token types, of which a
    sentence uses the first; `relative` adds the bias of MPNet to the products of attention.
    """

    width: int = 384
    depth: int = 6
    heads: int = 12
    hidden: int = 1536  # width within a perceptron
    vocabulary: int = 30522
    positions: int = 512
    offset: int = 0
    types: int = 2
    relative: bool = False
    activation: Callable[[Any], Array] = gelu
    epsilon: float = 1e-12
    pool: Literal["mean", "first"] = "mean"

    def norm(self, rngs: nnx.Rngs) -> nnx.LayerNorm:
        """Return a normalisation of tokens."""
        return nnx.LayerNorm(self.width, epsilon=self.epsilon, use_fast_variance=False, rngs=rngs)


class PostNormBlock(nnx.Module):
    """Residual attention and perceptron, each before a normalisation."""

    def __init__(self, config: TextEncoderConfig, *, rngs: nnx.Rngs):
        self.attention = Attention(config.width, config.heads, rngs=rngs)
        self.norm1 = config.norm(rngs)
        self.wide = Linear(config.width, config.hidden, rngs=rngs)
        self.narrow = Linear(config.hidden, config.width, rngs=rngs)
        self.norm2 = config.norm(rngs)
        self.activation = config.activation

    def __call__(
        self, tokens: Float[AnyArray, "b n w"], bias: Float[AnyArray, "#b h n n"]
    ) -> Float[Array, "b n w"]:
        """Return the block's output; `bias` is added to the products of attention."""
        h = self.norm1(tokens + self.attention(tokens, bias))
        return self.norm2(h + self.narrow(self.activation(self.wide(h))))


class TextEncoder(nnx.Module):
    r"""Token embeddings, transformer blocks, and the mean of the tokens or the first of them.

    Tokens are those of a sentence with its special tokens, and padding that `mask` excludes: it
    takes no part in attention nor in the mean. Layer l is the input of block l, counted from 0, and
    layer `depth` the output of the last: $e = pool(f_{depth-1} \circ \dots \circ f_l(h_l))$.

    Devlin et al. (2019), arXiv:1810.04805 (BERT); Wang et al. (2020), arXiv:2002.10957 (MiniLM);
    Liu et al. (2019), arXiv:1907.11692 (RoBERTa); Song et al. (2020), arXiv:2004.09297 (MPNet);
    Reimers and Gurevych (2019), arXiv:1908.10084, sec. 3 (the mean of the tokens).
    """

    def __init__(self, config: TextEncoderConfig, *, rngs: nnx.Rngs):
        def table(rows: int, width: int = config.width) -> nnx.Param:
            return nnx.Param(draw_normal(rngs, (rows, width), 0.02))

        self.words = table(config.vocabulary)
        self.positions = table(config.offset + config.positions)
        self.types = nnx.data(table(config.types) if config.types else None)
        self.relative = nnx.data(table(BUCKETS, config.heads) if config.relative else None)
        self.norm = config.norm(rngs)
        self.blocks = nnx.List([PostNormBlock(config, rngs=rngs) for _ in range(config.depth)])
        self.config = config

    def layer(
        self, ids: Int[AnyArray, "b n"], mask: Bool[AnyArray, "b n"], layer: int = 0
    ) -> Float[Array, "b n w"]:
        """Return the tokens at a layer, of ids in the vocabulary."""
        ids, offset = jnp.asarray(ids), self.config.offset
        h = self.words[...][ids] + self.positions[...][None, offset : offset + ids.shape[1]]
        h = h if self.types is None else h + self.types[...][None, :1]
        return self._blocks(self.norm(h), mask, 0, layer)

    def embed(
        self, tokens: Float[AnyArray, "b n w"], mask: Bool[AnyArray, "b n"], layer: int = 0
    ) -> Float[Array, "b w"]:
        """Return the embeddings of sentences, not normalised, of their tokens at a layer."""
        h = self._blocks(jnp.asarray(tokens), mask, layer, self.config.depth)
        if self.config.pool == "first":
            return h[:, 0]
        shares = jnp.asarray(mask, h.dtype) / jnp.sum(jnp.asarray(mask, h.dtype), 1, keepdims=True)
        return jnp.einsum("bn,bnw->bw", shares, h)

    def __call__(
        self, ids: Int[AnyArray, "b n"], mask: Bool[AnyArray, "b n"]
    ) -> Float[Array, "b w"]:
        """Return the embeddings of sentences, not normalised."""
        return self.embed(self.layer(ids, mask), mask)

    def _blocks(self, h: Array, mask: Any, first: int, last: int) -> Array:
        bias = jnp.where(jnp.asarray(mask)[:, None, None], 0, MASKED).astype(h.dtype)
        shape = (len(h), self.config.heads, h.shape[1], h.shape[1])
        bias = jnp.broadcast_to(bias, shape)
        if self.relative is not None:
            buckets = relative_buckets(h.shape[1])
            bias = bias + self.relative[...].astype(h.dtype)[buckets].transpose(2, 0, 1)[None]
        for block in self.blocks[first:last]:
            h = block(h, bias)
        return h


def relative_buckets(count: int) -> Int[np.ndarray, "n n"]:
    """Return the bucket of each pair (query, key) of positions, by their distance.

    Half of the buckets are for keys after the query. In each half, distances below 8 have a bucket
    of their own; beyond, buckets grow as the logarithm up to a distance of 128 (Raffel et al.,
    2020, arXiv:1910.10683, sec. 2.1).
    """
    distance = np.arange(count)[None] - np.arange(count)[:, None]
    half, size = BUCKETS // 2, np.abs(distance)
    exact = half // 2
    growth = np.log(np.maximum(size, 1).astype(np.float32) / exact) / np.log(DISTANCE / exact)
    far = np.minimum(exact + (growth * (half - exact)).astype(np.int64), half - 1)
    return np.where(size < exact, size, far) + half * (distance > 0)
