"""Vision transformers: the towers of CLIP, ViT, DINOv2 and SigLIP with a linear classifier."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.positions import resize_positions
from salix.models.token_network import TokenNetwork
from salix.models.transformer_config import TransformerConfig
from salix.models.vit import Attention
from salix.nn import Conv, Linear, Stage, sequence
from salix.typing import AnyArray, InputError


class EncoderBlock(nnx.Module):
    """Residual attention and perceptron, each after a normalisation and maybe before a scale."""

    def __init__(self, config: TransformerConfig, *, rngs: nnx.Rngs):
        width, hidden = config.width, config.hidden or 4 * config.width
        self.norm1 = config.norm(rngs)
        self.attention = Attention(width, config.heads, rngs=rngs)
        self.norm2 = config.norm(rngs)
        self.wide = Linear(width, hidden, rngs=rngs)
        self.narrow = Linear(hidden, width, rngs=rngs)
        scales = [nnx.Param(jnp.ones(width, jnp.float32)) for _ in range(2)]
        self.scale1, self.scale2 = map(nnx.data, scales if config.layer_scale else (None, None))
        self.activation = config.activation

    def perceptron(self, tokens: Float[AnyArray, "*b w"]) -> Float[Array, "*b w"]:
        """Return tokens after the residual perceptron."""
        h = self.narrow(self.activation(self.wide(self.norm2(tokens))))
        return jnp.asarray(tokens) + _scaled(h, self.scale2)

    def contributions(self, tokens: Float[AnyArray, "b n w"]) -> Float[Array, "b n w"]:
        """Return what each token adds to the first in the attention, itself to the first's own."""
        tokens = jnp.asarray(tokens)
        added = _scaled(self.attention.contributions(self.norm1(tokens)), self.scale1)
        return added.at[:, 0].add(tokens[:, 0])

    def __call__(self, tokens: Float[AnyArray, "b n w"]) -> Float[Array, "b n w"]:
        """Return the block's output."""
        attended = _scaled(self.attention(self.norm1(tokens)), self.scale1)
        return self.perceptron(jnp.asarray(tokens) + attended)


def _scaled(x: Array, scale: nnx.Param | None) -> Array:
    return x if scale is None else x * scale[...].reshape((1,) * (x.ndim - 1) + (-1,))


class VisionTransformer(TokenNetwork):
    r"""Patches, a class token and registers where there are any, blocks, normalisation, classifier.

    Images [b h w 3], sides multiples of the patch; positions are resized bicubically to the grid of
    another size than that of their training, as in transformers.

    Behind a class token the features are those of `ViT`: it reads the patches only through the last
    attention, as a sum, and features [b y x w] are each patch's share of that sum plus an equal
    part of the rest, which is its own and the registers'. With "mean" and "both" features are the
    tokens after the last block, as at the other cuts: the channels of the patch's token, then those
    of each other token by the number of patches, the same at each.

    Dosovitskiy et al. (2021), arXiv:2010.11929, sec. 3.1; Radford et al. (2021), arXiv:2103.00020;
    Oquab et al. (2024), arXiv:2304.07193; Darcet et al. (2024), arXiv:2309.16588 (registers); Zhai
    et al. (2023), arXiv:2303.15343 (SigLIP). The sum: Gandelsman et al. (2024), arXiv:2310.05916.
    """

    def __init__(self, config: TransformerConfig, classes: int, *, rngs: nnx.Rngs):
        width, patch = config.width, config.patch
        draw = partial(_normal, rngs, width)
        count = config.grid**2 + (config.pool != "mean")
        self.patches = Conv(3, width, patch, patch, 0, bias=config.patch_bias, rngs=rngs)
        self.token = nnx.data(None if config.pool == "mean" else draw(width))
        self.registers = nnx.data(draw(config.registers, width) if config.registers else None)
        self.positions = draw(count, width)
        self.before = nnx.data(config.norm(rngs) if config.norm_before else None)
        self.blocks = nnx.List([EncoderBlock(config, rngs=rngs) for _ in range(config.depth)])
        self.after = config.norm(rngs)
        projection = None
        if config.embedding is not None:
            projection = nnx.Linear(width, config.embedding, use_bias=False, rngs=rngs)
        self.projection = nnx.data(projection)
        features = config.embedding or width * (2 if config.pool == "both" else 1)
        self.fc = nnx.Linear(features, classes, rngs=rngs)
        self.config = config

    def named_stages(self) -> dict[str, Stage]:
        """Return `block1` ..., of tokens [b n w]; behind a class token the last is `attentionN`."""
        stages: dict[str, Stage] = {f"block{i}": b for i, b in enumerate(self.blocks, 1)}
        if self.config.pool == "token":
            name, _ = stages.popitem()
            stages[name.replace("block", "attention")] = self._contributions
        first = next(iter(stages))
        return stages | {first: sequence(self._tokens, stages[first])}

    def as_features(self, h: Any, shape: tuple[int, ...], cut: str | None) -> Array:
        """Return features [b y x k] at a cut, of images [b h w 3] of a shape."""
        extra, grid = self.config.extra, tuple(side // self.config.patch for side in shape[1:3])
        if self._sums(cut):
            return h.reshape(len(h), *grid, -1)
        patches = h[:, extra:].reshape(len(h), *grid, -1)
        shared = h[:, :extra].reshape(len(h), 1, 1, -1) / np.float32(grid[0] * grid[1])
        shared = jnp.broadcast_to(shared, (*patches.shape[:3], shared.shape[-1]))
        return jnp.concatenate([patches, shared], axis=-1)

    def as_tokens(self, features: Any, cut: str | None) -> Array:
        """Return the tokens [b n w] at a cut, or the shares of the class token as they are."""
        h, width = features, self.config.width
        if self._sums(cut):
            return h
        h = h.reshape(len(h), -1, h.shape[-1])
        others = jnp.sum(h[..., width:], axis=1).reshape(len(h), self.config.extra, width)
        return jnp.concatenate([others, h[..., :width]], axis=1)

    def classify(self, features: Float[AnyArray, "b *n w"]) -> Float[Array, "b classes"]:
        """Return the logits of the output of the last stage."""
        return self.fc(self._pooled(jnp.asarray(features)))

    def _sums(self, cut: str | None) -> bool:
        """Return whether features at a cut are the shares of the class token."""
        return self.config.pool == "token" and cut in (None, self.cuts[-1])

    def _tokens(self, x: Array) -> Array:
        """Return the tokens before the first block, [b n w], of images."""
        patch, width = self.config.patch, self.config.width
        if x.shape[1] % patch or x.shape[2] % patch:
            raise InputError(
                f"images of {x.shape[1]} x {x.shape[2]} pixels have no whole number of patches of "
                f"{patch}: give a size that is a multiple of it"
            )
        h = self.patches(x)
        positions = self.positions[...]
        first, side = int(self.token is not None), self.config.grid
        resized = resize_positions(
            positions[first:],
            (side, side),
            (h.shape[1], h.shape[2]),
            antialias=self.config.registers > 0,  # as the DINOv2 that has them was trained
        )
        h = h.reshape(len(h), -1, width) + resized[None]
        others = [] if self.token is None else [(self.token[...] + positions[0])[None]]
        others += [] if self.registers is None else [self.registers[...]]
        leading = [jnp.broadcast_to(o[None], (len(h), *o.shape)) for o in others]
        h = jnp.concatenate([*leading, h], axis=1)
        return h if self.before is None else self.before(h)

    def _contributions(self, h: Array) -> Array:
        """Return each patch's share of the class token after the last attention, [b n w]."""
        added, extra = self.blocks[-1].contributions(h), self.config.extra
        rest = jnp.sum(added[:, :extra], axis=1, keepdims=True)
        return added[:, extra:] + rest / np.float32(added.shape[1] - extra)

    def _pooled(self, h: Array) -> Array:
        """Return the input of the classifier, of shares [b y x w] or of tokens [b n w]."""
        if self.config.pool == "token":
            token = jnp.sum(h.reshape(len(h), -1, h.shape[-1]), axis=1)
            e = self.after(self.blocks[-1].perceptron(token))
            return e if self.projection is None else self.projection(e)
        h, extra = self.after(h), self.config.extra
        mean = jnp.mean(h[:, extra:], axis=1)
        return mean if self.config.pool == "mean" else jnp.concatenate([h[:, 0], mean], axis=-1)


def _normal(rngs: nnx.Rngs, width: int, *shape: int) -> nnx.Param:
    scale = np.float32(width**-0.5)
    return nnx.Param(scale * jax.random.normal(rngs.params(), shape, jnp.float32))
