"""Generator of TP-GAN: frontal faces by a global and four local pathways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.tpgan_layers import (
    Deconv,
    LeakyConv,
    LeakyResidual,
    encoder_stage,
    normal_linear,
    truncated_conv,
)
from salix.models.tpgan_local import LocalPathway, fuse
from salix.models.tpgan_patches import PATCHES
from salix.nn import avg_pool
from salix.typing import AnyArray, InputError, PRNGKey

SIDE = 128  # pixels of an image
WIDTH = 64  # channels of the first convolution
FEATURES = 256  # of the bottleneck
NOISE = 100
KEEP = 0.3  # share of features that dropout leaves the identity head


@dataclass(frozen=True)
class Synthesis:
    """Frontal images at side, half and quarter of it, local ones, and identity logits.

    Images are tanh of the last convolutions, and meant for targets in [0, 1). `locals` are the
    patches in the order of `PATCHES`, `features` the 256 of the bottleneck.
    """

    images: tuple[Float[Array, "b _ _ 3"], ...]
    locals: tuple[Float[Array, "b _ _ 3"], ...]
    features: Float[Array, "b k"]
    identity: Float[Array, "b classes"]


jax.tree_util.register_dataclass(Synthesis, ["images", "locals", "features", "identity"], [])


class Generator(nnx.Module):
    """Frontal face of a face from the side, by an encoder-decoder and a network for each part.

    The encoder reads the image beside its mirror image [b s s 6]; a linear layer and the maximum of
    its two halves make the 256 features that, with noise, are decoded at s/16, s/8, s/4, s/2 and s.
    Features and images of the four local pathways are placed where the parts of a frontal face
    are, fused by the maximum, and join the last stage. With `local` False they are left out.
    `width` 64 and `side` 128 are the published size, of 157,416,390 weights without the identity
    head, which has one row for each of `identities`.

    Huang et al. (2017), arXiv:1704.04086, sec. 3.1; layers as in the released code.
    """

    def __init__(
        self,
        identities: int,
        width: int = WIDTH,
        side: int = SIDE,
        *,
        local: bool = True,
        rngs: nnx.Rngs,
    ):
        check_size(width, side)
        w, self.side = width, side
        self.encoder = nnx.List(
            [
                encoder_stage(6, w, 7, 1, 1, rngs, norm=False),
                encoder_stage(w, w, 5, 2, 1, rngs),
                encoder_stage(w, 2 * w, 3, 2, 1, rngs),
                encoder_stage(2 * w, 4 * w, 3, 2, 1, rngs),
                encoder_stage(4 * w, 8 * w, 3, 2, 4, rngs),
            ]
        )
        cells = (side // 16) ** 2
        self.bottleneck = normal_linear(cells * 8 * w, 2 * FEATURES, rngs)
        self.identity = normal_linear(FEATURES, identities, rngs)
        self.seed = normal_linear(FEATURES + NOISE, cells * w, rngs)
        seeds = (w, w // 2, w // 4, w // 8)
        self.seeds = nnx.List(
            [
                Deconv(seeds[i], seeds[i + 1], 4 if i == 0 else 2, norm=False, rngs=rngs)
                for i in (0, 1, 2)
            ]
        )
        skips = [4 * w, 2 * w + 6 + seeds[1], w + 6 + seeds[2], w + 6 + seeds[3]]
        self.skips = nnx.List(
            [LeakyResidual(c, k, rngs=rngs) for c, k in zip(skips, (3, 3, 5, 7), strict=True)]
        )
        fused = (w + 3) * local
        mixed = [9 * w, 8 * w + skips[0], 4 * w + skips[1], 2 * w + skips[2] + 3]
        self.mixers = nnx.List(
            [
                nnx.List([LeakyResidual(c, k, rngs=rngs) for _ in range(n)])
                for c, k, n in zip(mixed, (2, 3, 3, 3), (3, 2, 2, 2), strict=True)
            ]
        )
        ups = zip(mixed, (8 * w, 4 * w, 2 * w, w), strict=True)
        self.ups = nnx.List([Deconv(i, o, rngs=rngs) for i, o in ups])
        self.small = nnx.List([truncated_conv(c, 3, 3, rngs=rngs) for c in mixed[2:]])
        last = w + skips[3] + fused + 3
        self.last = nnx.List(
            [
                LeakyResidual(last, 5, rngs=rngs),
                LeakyConv(last, w, 5, rngs=rngs),
                LeakyResidual(w, 3, rngs=rngs),
                LeakyConv(w, w // 2, 3, rngs=rngs),
            ]
        )
        self.out = truncated_conv(w // 2, 3, 3, rngs=rngs)
        channels = {"right eye": 6}  # the released network reads both eyes there
        self.parts = nnx.List(
            [LocalPathway(channels.get(p, 3), w, rngs=rngs) for p in PATCHES] if local else []
        )

    def encode(self, profile: Float[AnyArray, "b s s 3"]) -> tuple[list[Array], Array]:
        """Return the maps of the encoder's stages and the 256 features."""
        x, maps = _mirrored(profile), []
        for stage in self.encoder:
            for layer in stage:
                x = layer(x)
            maps.append(x)
        halves = self.bottleneck(x.reshape(len(x), -1)).reshape(len(x), 2, FEATURES)
        return maps, halves.max(1)

    def __call__(
        self,
        profile: Float[AnyArray, "b s s 3"],
        patches: Sequence[AnyArray],
        noise: Float[AnyArray, "b 100"],
        key: PRNGKey | None = None,
    ) -> Synthesis:
        """Return the synthesis of faces; `key` drops features of the identity head, in training."""
        maps, features = self.encode(profile)
        cells, both = self.side // 16, _mirrored(profile)
        seed = jax.nn.relu(self.seed(jnp.concatenate([features, jnp.asarray(noise)], -1)))
        seeds: list[Any] = [seed.reshape(len(seed), cells, cells, -1)]
        for layer in self.seeds:
            seeds.append(jax.nn.relu(layer(seeds[-1])))
        pooled = [avg_pool(both, 4, 4), avg_pool(both, 2, 2), both]
        x, images = jnp.concatenate([seeds[0], maps[4]], -1), []
        for i, (blocks, up) in enumerate(zip(self.mixers, self.ups, strict=True)):
            for block in blocks:
                x = block(x)
            if i >= 2:
                images.append(jnp.tanh(self.small[i - 2](x)))
            skip = [maps[3 - i]] + ([pooled[i - 1], seeds[i]] if i else [])
            x = [up(x), self.skips[i](jnp.concatenate(skip, -1))]
            if images:
                x.append(jnp.repeat(jnp.repeat(images[-1], 2, 1), 2, 2))
            x = jnp.concatenate(x, -1)
        features_map, images_map, local = self._local(patches)
        x = jnp.concatenate([x, *features_map, *images_map], -1)
        for layer in self.last:
            x = layer(x)
        images.append(jnp.tanh(self.out(x)))
        identity = self.identity(features if key is None else _drop(features, key))
        return Synthesis(tuple(images[::-1]), local, features, identity)

    def _local(self, patches: Sequence[AnyArray]) -> tuple[list[Array], list[Array], Any]:
        """Return fused features, fused images, and the local images; nothing without pathways."""
        if not len(self.parts):
            return [], [], ()
        left, right, *rest = map(jnp.asarray, patches)
        inputs = [left, jnp.concatenate([right, left], -1), *rest]
        pairs = [part(x) for part, x in zip(self.parts, inputs, strict=True)]
        maps, images = zip(*pairs, strict=True)
        return [fuse(maps, self.side)], [fuse(images, self.side)], images


def check_size(width: int, side: int) -> None:
    """Raise `InputError` for a width or a side that the stages do not divide."""
    if width < 8 or width % 8:
        raise InputError(f"width is {width}: give a multiple of 8, 64 as published")
    if side < 32 or side % 32:
        raise InputError(f"side is {side}: give a multiple of 32 pixels, 128 as published")


def _mirrored(images: Float[AnyArray, "b h w c"]) -> Array:
    """Return images beside their mirror images, as channels."""
    images = jnp.asarray(images)
    return jnp.concatenate([images, images[:, :, ::-1]], -1)


def _drop(features: Array, key: PRNGKey) -> Array:
    return jnp.where(jax.random.bernoulli(key, KEEP, features.shape), features / KEEP, 0)
