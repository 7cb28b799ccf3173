"""Vision transformer: the image tower of CLIP with a linear probe on its embedding."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from salix.models.token_network import TokenNetwork
from salix.nn import Conv, Linear, Stage, sequence
from salix.nn.attention import attention
from salix.nn.linear import linear
from salix.typing import AnyArray


def _norm(width: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    return nnx.LayerNorm(width, epsilon=1e-5, use_fast_variance=False, rngs=rngs)


class Attention(nnx.Module):
    r"""Self-attention $\sum_h softmax(q_h k_h^T / \sqrt d) v_h W_h + b$ of heads h of width d."""

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs):
        self.query = Linear(width, width, rngs=rngs)
        self.key = Linear(width, width, rngs=rngs)
        self.value = Linear(width, width, rngs=rngs)
        self.out = Linear(width, width, rngs=rngs)
        self.heads = heads

    def _split(self, x: Array) -> Array:
        return x.reshape(*x.shape[:-1], self.heads, -1)

    def __call__(
        self,
        tokens: Float[AnyArray, "b n w"],
        bias: Float[AnyArray, "#b h n n"] | None = None,
    ) -> Float[Array, "b n w"]:
        """Return the tokens after attention, with a bias of its products."""
        tokens = jnp.asarray(tokens)
        layers = (self.query, self.key, self.value)
        mixed = attention(*(self._split(layer(tokens)) for layer in layers), bias=bias)
        return self.out(mixed.reshape(tokens.shape))

    def contributions(self, tokens: Float[AnyArray, "b n w"]) -> Float[Array, "b n w"]:
        """Return the contribution of each token to the first token's row, which is their sum.

        The bias is part of the first token's own contribution.
        """
        tokens = jnp.asarray(tokens)
        q, k = self._split(self.query(tokens[:, 0])), self._split(self.key(tokens))
        products = jnp.einsum("bhd,bnhd->bnh", q * np.float32(q.shape[-1] ** -0.5), k)
        weights = checkpoint_name(jax.nn.softmax(products, axis=1), "attention b k h")
        weighted = (weights[..., None] * self._split(self.value(tokens))).reshape(tokens.shape)
        others = linear(weighted[:, 1:], self.out.kernel[...])
        return jnp.concatenate([self.out(weighted[:, :1]), others], axis=1)


class TransformerBlock(nnx.Module):
    """Residual attention and perceptron of four times the width, each after a normalisation."""

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs):
        self.norm1 = _norm(width, rngs)
        self.attention = Attention(width, heads, rngs=rngs)
        self.norm2 = _norm(width, rngs)
        self.wide = Linear(width, 4 * width, rngs=rngs)
        self.narrow = Linear(4 * width, width, rngs=rngs)

    def perceptron(self, tokens: Float[AnyArray, "*b w"]) -> Float[Array, "*b w"]:
        """Return tokens after the residual perceptron, with the activation x sigmoid(1.702 x)."""
        h = self.wide(self.norm2(tokens))
        return jnp.asarray(tokens) + self.narrow(h * jax.nn.sigmoid(np.float32(1.702) * h))

    def __call__(self, tokens: Float[AnyArray, "b n w"]) -> Float[Array, "b n w"]:
        """Return the block's output."""
        return self.perceptron(tokens + self.attention(self.norm1(tokens)))


class ViT(TokenNetwork):
    r"""ViT-B/16 of CLIP: patches of 16x16, a class token, twelve blocks, a probe of the embedding.

    Images [b 224 224 3], RGB less the mean and by the deviation of CLIP; width 768, 12 heads,
    normalisations before and after the blocks and within (epsilon 1e-5). The final class token is
    projected to an embedding e of 512 numbers: z = w e / |e| + b, and P(fake) = sigmoid(z).
    86,192,640 weights and 513 of the probe.

    The final class token reads the patches only through the last attention, as a sum: its state
    after that is $t = r + \sum_p a_p$, r from itself and $a_p$ from patch p. Features
    [b 14 14 768] are $f_p = a_p + r / 196$, so that the head is a function of their sum, as behind
    a global pool: CAM and Grad-CAM share its linearisation among the patches, nothing left out.

    Radford et al. (2021), arXiv:2103.00020, sec. 2.4; Dosovitskiy et al. (2021), arXiv:2010.11929,
    sec. 3.1. The sum: Gandelsman, Efros and Steinhardt (2024), arXiv:2310.05916, sec. 3.
    """

    def __init__(
        self,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        embedding: int = 512,
        grid: int = 14,
        patch: int = 16,
        *,
        rngs: nnx.Rngs,
    ):
        def normal(*shape: int) -> nnx.Param:
            scale = np.float32(width**-0.5)
            return nnx.Param(scale * jax.random.normal(rngs.params(), shape, jnp.float32))

        self.patches = Conv(3, width, patch, patch, 0, rngs=rngs)
        self.token = normal(width)
        self.positions = normal(1 + grid * grid, width)
        self.before = _norm(width, rngs)
        self.blocks = nnx.List([TransformerBlock(width, heads, rngs=rngs) for _ in range(depth)])
        self.after = _norm(width, rngs)
        self.projection = nnx.Linear(width, embedding, use_bias=False, rngs=rngs)
        self.probe = nnx.Linear(embedding, 1, rngs=rngs)
        self.grid = grid

    def named_stages(self) -> dict[str, Stage]:
        """Return the blocks but the last, `block1` ..., and the attention of the last.

        Between stages there are tokens [b 1+n w]; the last gives what each patch adds to the class
        token, [b y x w].
        """
        *blocks, last = self.blocks
        stages: dict[str, Stage] = {f"block{i}": block for i, block in enumerate(blocks, 1)}
        stages[f"attention{len(self.blocks)}"] = partial(self._contributions, last)
        first = next(iter(stages))
        return stages | {first: sequence(self._tokens, stages[first])}

    def as_features(self, h: Any, shape: tuple[int, ...], cut: str | None) -> Array:
        """Return features [b y x k] at a cut.

        After a block they have 2w channels: those of the patch's token, and those of the class
        token by the number of patches, the same at each, so that maps share it among all.
        """
        if cut in (None, self.cuts[-1]):
            return h
        patches = h[:, 1:].reshape(len(h), self.grid, self.grid, -1)
        shared = jnp.broadcast_to(h[:, :1, None] / np.float32(self.grid**2), patches.shape)
        return jnp.concatenate([patches, shared], axis=-1)

    def as_tokens(self, features: Any, cut: str | None) -> Array:
        """Return the tokens [b 1+n w] after a block, or the features at the last cut."""
        h = features
        if cut in (None, self.cuts[-1]):
            return h
        patches, shared = jnp.split(h.reshape(len(h), self.grid**2, -1), 2, axis=-1)
        return jnp.concatenate([jnp.sum(shared, axis=1, keepdims=True), patches], axis=1)

    def classify(self, features: Float[AnyArray, "b y x k"]) -> Float[Array, "b 1"]:
        """Return z of the features at the last cut."""
        return self.probe(self.embed(features))

    def _tokens(self, x: Array) -> Array:
        """Return the tokens before the first block, [b 1+n w], of images."""
        patches = self.patches(x)
        patches = patches.reshape(patches.shape[0], -1, patches.shape[-1])
        token = jnp.broadcast_to(self.token[...], (patches.shape[0], 1, patches.shape[-1]))
        return self.before(jnp.concatenate([token, patches], axis=1) + self.positions[...][None])

    def _contributions(self, last: TransformerBlock, h: Array) -> Array:
        """Return what each patch adds to the class token in the last attention, [b y x w]."""
        added = last.attention.contributions(last.norm1(h))
        rest = h[:, 0] + added[:, 0]
        features = added[:, 1:] + rest[:, None] / np.float32(self.grid**2)
        return features.reshape(features.shape[0], self.grid, self.grid, -1)

    def embed(self, features: Float[AnyArray, "b y x k"]) -> Float[Array, "b d"]:
        """Return the embedding of CLIP, of length 1."""
        token = self.blocks[-1].perceptron(jnp.sum(jnp.asarray(features), axis=(1, 2)))
        e = self.projection(self.after(token))
        return e / jnp.linalg.norm(e, axis=-1, keepdims=True)
