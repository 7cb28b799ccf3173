"""Decoders of the shape of LLaMA: grouped queries, rotary positions, gated perceptrons."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from salix.nn.layers import draw_normal
from salix.nn.linear import linear
from salix.typing import AnyArray

MASKED = -1e9  # product of a query with a later key: its exponential is 0 beside any other
LAYER = ("norm1", "query", "key", "value", "out", "norm2", "gate", "up", "down")


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Sizes and arithmetic of a decoder; keys and values have `groups` heads, queries `heads`."""

    vocabulary: int = 49152
    width: int = 576
    depth: int = 30
    heads: int = 9
    groups: int = 3
    head_width: int = 64
    hidden: int = 1536  # width within a perceptron
    context: int = 8192  # tokens that the decoder was trained to read
    base: float = 1e5  # of the wavelengths of rotary positions
    epsilon: float = 1e-5
    tied: bool = True  # the output layer is the table of embeddings

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight; those of the layers are stacked, [depth ...]."""
        width, queries, keys = self.width, self.heads * self.head_width, self.groups
        keys *= self.head_width
        layer = {"norm1": (width,), "query": (width, queries), "key": (width, keys)}
        layer |= {"value": (width, keys), "out": (queries, width), "norm2": (width,)}
        layer |= {"gate": (width, self.hidden), "up": (width, self.hidden)}
        layer |= {"down": (self.hidden, width)}
        shapes = {name: (self.depth, *layer[name]) for name in LAYER}
        shapes |= {"words": (self.vocabulary, width), "norm": (width,)}
        return shapes if self.tied else shapes | {"head": (width, self.vocabulary)}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class KeyValueCache:
    """Keys and values of the tokens read so far, of all layers; `capacity` of them fit."""

    keys: Float[AnyArray, "l c g d"]
    values: Float[AnyArray, "l c g d"]

    @property
    def capacity(self) -> int:
        """Number of tokens that fit."""
        return self.keys.shape[1]


class Decoder(nnx.Module):
    r"""Token embeddings, causal transformer blocks and the output layer, for one text.

    $h \leftarrow h + O\,a(R q, R k, v)$, $h \leftarrow h + D (silu(G n) \odot U n)$, each of the
    normalised $n = h / \sqrt{mean(h^2) + \epsilon} \odot g$. Weights of the layers are stacked, so
    that one program of a block serves all of them.

    Touvron et al. (2023), arXiv:2302.13971, sec. 2.2; Su et al. (2021), arXiv:2104.09864, eq. 34
    (rotary positions, here of halves); Ainslie et al. (2023), arXiv:2305.13245 (grouped queries).
    """

    def __init__(self, config: DecoderConfig, *, rngs: nnx.Rngs):
        def draw(name: str, shape: tuple[int, ...]) -> nnx.Param:
            if name.startswith("norm"):
                return nnx.Param(jnp.ones(shape, jnp.float32))
            # Outputs of blocks begin smaller, that their sum over layers does not grow.
            last = name in ("out", "down")
            return nnx.Param(draw_normal(rngs, shape, 0.02 / (2 * config.depth) ** (last / 2)))

        shapes = config.shapes()
        self.words, self.norm = draw("words", shapes["words"]), draw("norm", shapes["norm"])
        self.head = nnx.data(None if config.tied else draw("head", shapes["head"]))
        for name in LAYER:
            setattr(self, name, draw(name, shapes[name]))
        self.config = config

    def weights(self, layer: int) -> dict[str, Array]:
        """Return the weights of a layer by name; matrices are [inputs outputs]."""
        return {name: getattr(self, name)[...][layer] for name in LAYER}

    def embed(self, ids: Int[AnyArray, " n"]) -> Float[Array, "n w"]:
        """Return the embeddings of tokens."""
        return self.words[...][jnp.asarray(ids)]

    def read(self, tokens: Float[AnyArray, "n w"]) -> Float[Array, "n w"]:
        """Return the output of the last normalisation at each token, of embeddings."""
        config = self.config
        shape = config.depth, len(tokens), config.groups, config.head_width
        empty = KeyValueCache(*2 * (jnp.zeros(shape, jnp.float32),))
        return self.extend(tokens, empty, 0)[0]

    def extend(
        self, tokens: Float[AnyArray, "n w"], cache: KeyValueCache, start: int | Int[AnyArray, ""]
    ) -> tuple[Float[Array, "n w"], KeyValueCache]:
        """Return the output at tokens from position `start` on, and the cache with them."""
        places = jnp.asarray(start, jnp.int32) + jnp.arange(len(tokens), dtype=jnp.int32)
        turns = rotations(self.config, places)
        later = jnp.arange(cache.capacity, dtype=jnp.int32)[None] > places[:, None]
        bias = jnp.where(later, MASKED, 0.0).astype(jnp.float32)

        def step(h: Array, layer: Any) -> tuple[Array, Any]:
            weights, keys, values = layer
            return _block(self.config, weights, h, turns, bias, (keys, values, places[0]))

        weights = {name: getattr(self, name)[...] for name in LAYER}
        layers = weights, cache.keys, cache.values
        h, (keys, values) = jax.lax.scan(step, jnp.asarray(tokens), layers)
        return normalise(h, self.norm[...], self.config.epsilon), KeyValueCache(keys, values)

    def logits(self, outputs: Float[AnyArray, "*b w"]) -> Float[Array, "*b v"]:
        """Return the logits of the next token, of outputs of the last normalisation."""
        matrix = self.words[...].T if self.head is None else self.head[...]
        return linear(outputs, matrix)

    def __call__(self, ids: Int[AnyArray, " n"]) -> Float[Array, "n v"]:
        """Return the logits of the next token at each token."""
        return self.logits(self.read(self.embed(ids)))


def normalise(x: Array, gain: Array, epsilon: float) -> Array:
    """Return the root-mean-square normalisation of tokens (arXiv:1910.07467, eq. 4)."""
    square = jnp.mean(x * x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(square + np.float32(epsilon)) * gain[None]


def rotations(config: DecoderConfig, places: Array) -> tuple[Array, Array]:
    """Return cosines and sines [n d/2] of the angles of rotary positions."""
    half = config.head_width // 2
    waves = np.float32(config.base) ** (-np.arange(half, dtype=np.float32) / np.float32(half))
    angles = places.astype(jnp.float32)[:, None] * jnp.asarray(waves)[None]
    return jnp.cos(angles), jnp.sin(angles)


def _rotate(x: Array, turns: tuple[Array, Array]) -> Array:
    """Rotate the pairs (i, i + d/2) of heads [n h d]."""
    cosine, sine = (turn[:, None] for turn in turns)
    first, second = jnp.split(x, 2, -1)
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], -1)


def _block(config: DecoderConfig, w: Any, h: Array, turns: Any, bias: Array, cache: Any) -> Any:
    """Return the output of a block, and its keys and values with those of the new tokens."""
    n, width = len(h), config.head_width
    keys, values, start = cache
    x = normalise(h, w["norm1"], config.epsilon)
    q = _rotate(linear(x, w["query"]).reshape(n, config.heads, width), turns)
    k = _rotate(linear(x, w["key"]).reshape(n, config.groups, width), turns)
    v = linear(x, w["value"]).reshape(n, config.groups, width)
    if len(keys) == n:  # the cache is filled by these tokens alone
        keys, values = k, v
    else:
        keys, values = (
            jax.lax.dynamic_update_slice(old, new, (start, 0, 0))
            for old, new in ((keys, k), (values, v))
        )
    q = q.reshape(n, config.groups, -1, width) * np.float32(width**-0.5)
    products = jnp.einsum("nghd,mgd->ghnm", q, keys) + bias[None, None]
    mixed = jnp.einsum("ghnm,mgd->nghd", jax.nn.softmax(products, -1), values)
    h = h + linear(mixed.reshape(n, -1), w["out"])
    x = normalise(h, w["norm2"], config.epsilon)
    h = h + linear(jax.nn.silu(linear(x, w["gate"])) * linear(x, w["up"]), w["down"])
    return h, (keys, values)
